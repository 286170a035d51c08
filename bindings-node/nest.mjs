import nest from './nest.js';

export const { TurnkeepController, TurnkeepExceptionFilter, TurnkeepModule, toHttpException } = nest;
