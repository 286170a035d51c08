'use strict';

const { Engine } = require('./lib/engine.js');
const { TurnkeepError } = require('./lib/error.js');
const functions = require('./lib/functions.js');
const { Turn } = require('./lib/turn.js');

module.exports = { Engine, Turn, TurnkeepError, ...functions };
