'use strict';

module.exports = require('./lib/http/index.js');
