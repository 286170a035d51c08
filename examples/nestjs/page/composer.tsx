import { useRef, useState } from 'react';
import { describeChatError } from 'turnkeep/client';

import { ask } from './api.js';
import { Microphone, Square } from './icons.js';

interface Props {
  isBusy: boolean;
  isWaiting: boolean;
  onSend(text: string, how: 'send' | 'join' | 'interrupt'): Promise<void>;
  onStop(): void;
}

/** Records until it is pressed again, and gives what was said. */
function Dictation({ onText, onProblem }: { onText(text: string): void; onProblem(problem: string): void }) {
  const [recorder, setRecorder] = useState<MediaRecorder>();
  const [busy, setBusy] = useState(false);
  const begin = async () => {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const recording = new MediaRecorder(stream);
      const pieces: Blob[] = [];
      recording.ondataavailable = ({ data }) => pieces.push(data);
      recording.onstop = async () => {
        stream.getTracks().forEach((track) => track.stop());
        setRecorder(undefined);
        setBusy(true);
        try {
          onText(
            (await ask<{ text: string }>('transcribe', 'POST', new Blob(pieces, { type: recording.mimeType }))).text,
          );
        } catch (error) {
          onProblem(describeChatError(error).message);
        } finally {
          setBusy(false);
        }
      };
      recording.start();
      setRecorder(recording);
    } catch {
      onProblem('There is no microphone, or the page may not use it.');
    }
  };
  return (
    <button
      type="button"
      className={recorder ? 'recording' : ''}
      disabled={busy}
      aria-label={recorder ? 'Stop recording' : 'Dictate'}
      title={recorder ? 'Stop recording' : 'Dictate'}
      onClick={() => (recorder ? recorder.stop() : void begin())}
    >
      {busy ? '…' : recorder ? <Square /> : <Microphone />}
    </button>
  );
}

export function Composer({ isBusy, isWaiting, onSend, onStop }: Props) {
  const [text, setText] = useState('');
  const [problem, setProblem] = useState<string>();
  const area = useRef<HTMLTextAreaElement>(null);
  const send = (how: 'send' | 'join' | 'interrupt') => {
    const said = text.trim();
    if (!said) return;
    setText('');
    setProblem(undefined);
    onSend(said, how).catch((error: unknown) => {
      setText(said);
      setProblem(describeChatError(error).message);
    });
    area.current?.focus();
  };
  const usual = isBusy ? 'join' : 'send';
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send(usual);
      }}
    >
      {problem && <p className="problem">{problem}</p>}
      <textarea
        ref={area}
        autoFocus
        rows={1}
        value={text}
        placeholder={
          isBusy ? 'Add to the answer in progress…' : isWaiting ? 'The answer waits for you above' : 'Message'
        }
        aria-label="Message"
        onChange={({ target }) => setText(target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          send(usual);
        }}
      />
      <div className="row">
        <Dictation onText={(said) => setText((before) => `${before}${before && ' '}${said}`)} onProblem={setProblem} />
        <span className="grow" />
        {isBusy && (
          <>
            <button
              type="button"
              disabled={!text.trim()}
              onClick={() => send('interrupt')}
              title="Stop the answer, and send this instead"
            >
              Interrupt and send
            </button>
            <button type="button" id="stop" onClick={onStop}>
              Stop
            </button>
          </>
        )}
        <button
          className="primary"
          disabled={!text.trim()}
          title={isBusy ? 'It joins the answer at its next step' : ''}
        >
          {isBusy ? 'Add' : 'Send'}
        </button>
      </div>
    </form>
  );
}
