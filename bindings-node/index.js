'use strict';

const { Engine } = require('./lib/engine.js');
const { TurnkeepError, classes } = require('./lib/error.js');
const functions = require('./lib/functions.js');
const { RunTail } = require('./lib/runs.js');
const { defineTool } = require('./lib/tools.js');
const { Turn } = require('./lib/turn.js');

module.exports = { Engine, RunTail, Turn, TurnkeepError, defineTool, ...classes, ...functions };
