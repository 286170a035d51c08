import http from './http.js';

export const { createRouter, failureBody } = http;
