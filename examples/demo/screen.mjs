// What the demo prints: coloured on a terminal, plain text elsewhere.

const terminal = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code) => (text) => (terminal ? `\u001b[${code}m${text}\u001b[0m` : text);
const bold = paint('1');
const dim = paint('2');
const green = paint('32');
const red = paint('31');
const cyan = paint('36');

let failed = 0;

export const title = (text) => console.log(`\n${bold(text)}\n${dim('-'.repeat(text.length))}`);
export const say = (text) => console.log(text);
export const note = (text) => console.log(dim(text));

/** A fact that the demo promises. */
export function check(holds, fact) {
  if (!holds) failed += 1;
  console.log(`${holds ? green('ok  ') : red('FAIL')} ${fact}`);
}

export const failures = () => failed;

/** Prints a turn's chunks as they come, text in one flow. */
export class Flow {
  /** The kind of text that the current line holds. */
  #open;

  chunk(chunk) {
    switch (chunk.type) {
      case 'text-delta':
      case 'reasoning-delta': {
        if (this.#open !== chunk.type) process.stdout.write(this.#open ? '\n  ' : '  ');
        const delta = chunk.delta.replaceAll('\n', '\n  ');
        process.stdout.write(chunk.type === 'text-delta' ? delta : dim(delta));
        this.#open = chunk.type;
        return;
      }
      case 'start':
        return this.line(dim(`run ${chunk.messageMetadata.runId}`));
      case 'tool-input-available':
        return this.line(`${cyan('tool call  ')} ${this.#remember(chunk)}(${JSON.stringify(chunk.input)})`);
      case 'tool-output-available':
        return this.line(
          `${cyan('tool result')} ${this.#names.get(chunk.toolCallId)} -> ${JSON.stringify(chunk.output)}`,
        );
      case 'tool-output-error':
        return this.line(`${red('tool failed')} ${this.#names.get(chunk.toolCallId)}: ${chunk.errorText}`);
      case 'message-metadata':
        return this.line(dim(`step on disk, ${chunk.messageMetadata.usage.totalTokens} tokens so far`));
      case 'error':
        return this.line(red(`error: ${chunk.errorText}`));
      case 'finish':
        return this.line(dim(`finished: ${chunk.finishReason}`));
      case 'abort':
        return this.line(dim(`aborted: ${chunk.reason}`));
      default:
    }
  }

  line(text) {
    if (this.#open) process.stdout.write('\n');
    this.#open = undefined;
    console.log(`  ${text}`);
  }

  #names = new Map();

  #remember({ toolCallId, toolName }) {
    this.#names.set(toolCallId, toolName);
    return toolName;
  }
}
