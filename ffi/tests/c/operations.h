/* Every operation by its name. Written by tools/surface from the description of the surface. Changes made here are overwritten. */

#ifndef OPERATIONS_H
#define OPERATIONS_H

#include "turnkeep.h"

typedef turnkeep_status (*operation)(const turnkeep_engine *, const char *, size_t, turnkeep_bytes *, turnkeep_error **);

static const struct {
    const char *name;
    operation call;
} operations[] = {
    {"runs.get", turnkeep_run_get},
    {"runs.latestForChat", turnkeep_run_latest_for_chat},
    {"runs.activeForChat", turnkeep_run_active_for_chat},
    {"runs.list", turnkeep_run_list},
    {"runs.getStateless", turnkeep_run_get_stateless},
    {"runs.stop", turnkeep_run_stop},
    {"runs.answer", turnkeep_run_answer},
    {"runs.waiting", turnkeep_run_waiting},
    {"runs.steer", turnkeep_run_steer},
    {"runs.unsteer", turnkeep_run_unsteer},
    {"runs.queue", turnkeep_run_queue},
    {"runs.steering", turnkeep_run_steering},
    {"runs.takeSteering", turnkeep_run_take_steering},
    {"runs.begin", turnkeep_run_begin},
    {"runs.recordStep", turnkeep_run_record_step},
    {"runs.finish", turnkeep_run_finish},
    {"runs.signal", turnkeep_run_signal},
    {"runs.abandon", turnkeep_run_abandon},
    {"chats.create", turnkeep_chat_create},
    {"chats.list", turnkeep_chat_list},
    {"chats.latestForPage", turnkeep_chat_latest_for_page},
    {"chats.rename", turnkeep_chat_rename},
    {"chats.delete", turnkeep_chat_delete},
    {"chats.purge", turnkeep_chat_purge},
    {"chats.fork", turnkeep_chat_fork},
    {"chats.get", turnkeep_chat_get},
    {"chats.messages", turnkeep_chat_messages},
    {"chats.messagePage", turnkeep_chat_message_page},
    {"chats.uiMessagePage", turnkeep_chat_ui_message_page},
    {"chats.versions", turnkeep_chat_versions},
    {"chats.search", turnkeep_chat_search},
    {"chats.open", turnkeep_chat_open},
    {"chats.export", turnkeep_chat_export},
    {"chats.import", turnkeep_chat_import},
    {"roles.create", turnkeep_role_create},
    {"roles.update", turnkeep_role_update},
    {"roles.delete", turnkeep_role_delete},
    {"roles.list", turnkeep_role_list},
    {"roles.get", turnkeep_role_get},
    {"roles.exportBundle", turnkeep_role_export_bundle},
    {"roles.importBundle", turnkeep_role_import_bundle},
    {"provenance.sign", turnkeep_provenance_sign},
    {"provenance.verify", turnkeep_provenance_verify},
    {"search.index", turnkeep_search_index},
    {"search.reindex", turnkeep_search_reindex},
    {"search.remove", turnkeep_search_remove},
    {"search.status", turnkeep_search_status},
    {"search.query", turnkeep_search_query},
    {"settings.get", turnkeep_settings_get},
    {"settings.update", turnkeep_settings_update},
    {"settings.test", turnkeep_settings_test},
    {"secrets.rotate", turnkeep_secrets_rotate},
    {"mcp.create", turnkeep_mcp_create},
    {"mcp.update", turnkeep_mcp_update},
    {"mcp.delete", turnkeep_mcp_delete},
    {"mcp.list", turnkeep_mcp_list},
    {"mcp.test", turnkeep_mcp_test},
    {"usage.report", turnkeep_usage_report},
    {"embed", turnkeep_embed},
    {"transcribe", turnkeep_transcribe},
    {"generateTitle", turnkeep_generate_title},
};

enum { OPERATIONS = sizeof operations / sizeof operations[0] };

#endif
