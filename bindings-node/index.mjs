import turnkeep from './index.js';

export const { Engine, Turn, TurnkeepError } = turnkeep;
