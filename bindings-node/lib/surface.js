'use strict';

// Written by tools/surface from the description of the surface. Changes made here are overwritten.

/** The methods that only ask the engine, by namespace. `call` asks it by name. */
function operations(call) {
  return {
    runs: {
      get: (params) => call('runs.get', params),
      latestForChat: (params) => call('runs.latestForChat', params),
      activeForChat: (params) => call('runs.activeForChat', params),
      list: (params) => call('runs.list', params),
      getStateless: (params) => call('runs.getStateless', params),
      stop: (params) => call('runs.stop', params),
      sweep: () => call('runs.sweep', {}),
      begin: (params) => call('runs.begin', params),
      recordStep: (params) => call('runs.recordStep', params),
      finish: (params) => call('runs.finish', params),
      signal: (params) => call('runs.signal', params),
    },
    chats: {
      create: (params) => call('chats.create', params),
      list: (params) => call('chats.list', params),
      latestForPage: (params) => call('chats.latestForPage', params),
      rename: (params) => call('chats.rename', params),
      delete: (params) => call('chats.delete', params),
      purge: (params) => call('chats.purge', params),
      fork: (params) => call('chats.fork', params),
      get: (params) => call('chats.get', params),
      messages: (params) => call('chats.messages', params),
      messagePage: (params) => call('chats.messagePage', params),
      uiMessagePage: (params) => call('chats.uiMessagePage', params),
      versions: (params) => call('chats.versions', params),
      search: (params) => call('chats.search', params),
      open: (params) => call('chats.open', params),
      export: (params) => call('chats.export', params),
      import: (params) => call('chats.import', params),
    },
    roles: {
      create: (params) => call('roles.create', params),
      update: (params) => call('roles.update', params),
      delete: (params) => call('roles.delete', params),
      list: (params) => call('roles.list', params),
      get: (params) => call('roles.get', params),
      exportBundle: (params) => call('roles.exportBundle', params),
      importBundle: (params) => call('roles.importBundle', params),
    },
    provenance: {
      sign: (params) => call('provenance.sign', params),
      verify: (params) => call('provenance.verify', params),
    },
    search: {
      index: (params) => call('search.index', params),
      reindex: (params) => call('search.reindex', params),
      remove: (params) => call('search.remove', params),
      status: (params) => call('search.status', params),
      query: (params) => call('search.query', params),
    },
    settings: {
      get: (workspaceId, actor) => call('settings.get', { workspaceId, actor }),
      update: (workspaceId, settings, actor) => call('settings.update', { workspaceId, settings, actor }),
      test: (workspaceId, capability, actor, provider) => call('settings.test', { workspaceId, capability, actor, provider }),
    },
    secrets: {
      rotate: (params) => call('secrets.rotate', params),
    },
    mcp: {
      create: (params) => call('mcp.create', params),
      update: (params) => call('mcp.update', params),
      delete: (params) => call('mcp.delete', params),
      list: (params) => call('mcp.list', params),
      test: (params) => call('mcp.test', params),
    },
    usage: {
      report: (params) => call('usage.report', params),
    },
    engine: {
      embed: (params) => call('embed', params),
      transcribe: (params) => call('transcribe', params),
      generateTitle: (params) => call('generateTitle', params),
      health: () => call('health', {}),
    },
  };
}

/** The pure functions. `call` does one by name, `list` makes one of a set, `options` checks an object. */
function functions(call, list, options) {
  return {
    flushAssistant: (steps, inProgressText, status, extra) => call('flushAssistant', { steps, inProgressText, status, extra }),
    assistantParts: (steps, fallbackText) => call('assistantParts', { steps, fallbackText }),
    serializeSteps: (steps) => call('serializeSteps', { steps }),
    compactToolOutput: (value) => call('compactToolOutput', { value }),
    rowToUiMessage: (row) => call('rowToUiMessage', { row }),
    planFinalizeAssistant: (assistantId) => call('planFinalizeAssistant', { assistantId }),
    accumulateStepUsage: (acc, step) => call('accumulateStepUsage', { acc, step }),
    normalizeUsage: (usage) => call('normalizeUsage', { usage }),
    chatStreamMetadata: (part, chatId, cumulativeUsage) => call('chatStreamMetadata', { part, chatId, cumulativeUsage }),
    buildChatMarkdown: (given) => call('buildChatMarkdown', options(given)),
    buildChatJson: (given) => call('buildChatJson', options(given)),
    parseChatJson: (text) => call('parseChatJson', { text }),
    normalizeLang: (tag) => call('normalizeLang', { tag }),
    buildSystemPrompt: (given = {}) => call('buildSystemPrompt', options(given)),
    resolveCurrentPageResult: (openedPage) => call('resolveCurrentPageResult', { openedPage }),
    cleanChatTitle: (text) => call('cleanChatTitle', { text }),
    chatTitlePrompt: (text) => call('chatTitlePrompt', { text }),
    pageTitlePrompt: (content) => call('pageTitlePrompt', { content }),
    prepareAgentStep: (stepNumber, system, maxSteps) => call('prepareAgentStep', { stepNumber, system, maxSteps }),
    cleanGeneratedTitle: (text) => call('cleanGeneratedTitle', { text }),
    describeProviderError: (err, fallback) => call('describeProviderError', { err, fallback }),
    isFatalProviderError: (err) => call('isFatalProviderError', { err }),
    roleModelOverride: (role) => call('roleModelOverride', { role }),
    resolveAudioFormat: (mime) => call('resolveAudioFormat', { mime }),
    isIpAllowed: (ip) => call('isIpAllowed', { ip }),
    validateResolvedAddresses: (addresses) => call('validateResolvedAddresses', { addresses }),
    selectAccessibleHits: (hits, accessiblePageIds, cap) => call('selectAccessibleHits', { hits, accessiblePageIds: list(accessiblePageIds), cap }),
    sanitizeToolName: (value) => call('sanitizeToolName', { value }),
    toolNamePrefix: (serverName) => call('toolNamePrefix', { serverName }),
    capToolName: (value) => call('capToolName', { value }),
    disambiguateToolName: (name, serverId, taken) => call('disambiguateToolName', { name, serverId, taken: list(taken) }),
    splitText: (text, options) => call('splitText', { text, options }),
    isDegenerateOutput: (text) => call('isDegenerateOutput', { text }),
    truncateDegenerateOutput: (text) => call('truncateDegenerateOutput', { text }),
    storableText: (text) => call('storableText', { text }),
    trimHistory: (messages, options) => call('trimHistory', { messages, options }),
    resolveEditSource: (gathered, edit) => call('resolveEditSource', { gathered, edit }),
    cutsSnapshot: (lastSource, source, pending) => call('cutsSnapshot', { lastSource, source, pending }),
    toView: (server) => call('toView', { server }),
  };
}

/** The class of each error code. */
const ERROR_CLASSES = {
  INVALID_INPUT: 'InvalidInputError',
  FORBIDDEN: 'ForbiddenError',
  NOT_FOUND: 'NotFoundError',
  PAYLOAD_TOO_LARGE: 'PayloadTooLargeError',
  UNSUPPORTED_MEDIA: 'UnsupportedMediaError',
  NOT_SUPPORTED: 'NotSupportedError',
  A_RUN_ALREADY_ACTIVE: 'RunAlreadyActiveError',
  A_RUN_BEGIN_FAILED: 'RunBeginFailedError',
  LEASE_LOST: 'LeaseLostError',
  SUPERSEDE_TARGET_MISMATCH: 'SupersedeTargetMismatchError',
  SUPERSEDE_TIMEOUT: 'SupersedeTimeoutError',
  SUPERSEDE_INVALID: 'SupersedeInvalidError',
  MESSAGE_EXISTS: 'MessageExistsError',
  ROLE_NAME_TAKEN: 'RoleNameTakenError',
  STORE_UNAVAILABLE: 'StoreUnavailableError',
  ENGINE_CLOSED: 'EngineClosedError',
  SECRET_UNREADABLE: 'SecretUnreadableError',
  AI_NOT_CONFIGURED: 'AiNotConfiguredError',
  EMBEDDING_NOT_CONFIGURED: 'EmbeddingNotConfiguredError',
  STT_NOT_CONFIGURED: 'SttNotConfiguredError',
  PROVIDER_ERROR: 'ProviderError',
  RATE_LIMITED: 'RateLimitedError',
  BUDGET_EXHAUSTED: 'BudgetExhaustedError',
  INTERNAL: 'InternalError',
};

module.exports = { ERROR_CLASSES, functions, operations };
