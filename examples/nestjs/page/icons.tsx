// Drawn here: not every machine has fonts with pictures.

const draw = (path: string) => () => (
  <svg viewBox="0 0 24 24" width="1em" height="1em" className="icon" aria-hidden="true">
    <path d={path} fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" />
  </svg>
);

export const Microphone = draw('M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3ZM6 11a6 6 0 0 0 12 0M12 17v4');
export const Square = draw('M7 7h10v10H7Z');
export const Leave = draw('M14 4h5v16h-5M4 12h10M10 8l4 4-4 4');
export const Pen = draw('M4 20l1-4L16 5l3 3L8 19l-4 1Z');
export const Cross = draw('M6 6l12 12M18 6L6 18');
export const Bars = draw('M4 7h16M4 12h16M4 17h16');
