/* Every pure function by its name. Written by tools/surface from the description of the surface. Changes made here are overwritten. */

#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#include "turnkeep.h"

typedef turnkeep_status (*function)(const char *, size_t, turnkeep_bytes *, turnkeep_error **);

#define FUNCTION(name) {"turnkeep_" #name, turnkeep_##name}

static const struct {
    const char *name;
    function call;
} functions[] = {
    FUNCTION(flush_assistant),
    FUNCTION(assistant_parts),
    FUNCTION(serialize_steps),
    FUNCTION(compact_tool_output),
    FUNCTION(row_to_ui_message),
    FUNCTION(plan_finalize_assistant),
    FUNCTION(accumulate_step_usage),
    FUNCTION(normalize_usage),
    FUNCTION(chat_stream_metadata),
    FUNCTION(build_chat_markdown),
    FUNCTION(build_chat_json),
    FUNCTION(parse_chat_json),
    FUNCTION(normalize_lang),
    FUNCTION(build_system_prompt),
    FUNCTION(resolve_current_page_result),
    FUNCTION(clean_chat_title),
    FUNCTION(chat_title_prompt),
    FUNCTION(page_title_prompt),
    FUNCTION(prepare_agent_step),
    FUNCTION(clean_generated_title),
    FUNCTION(describe_provider_error),
    FUNCTION(is_fatal_provider_error),
    FUNCTION(role_model_override),
    FUNCTION(resolve_audio_format),
    FUNCTION(is_ip_allowed),
    FUNCTION(validate_resolved_addresses),
    FUNCTION(select_accessible_hits),
    FUNCTION(sanitize_tool_name),
    FUNCTION(tool_name_prefix),
    FUNCTION(cap_tool_name),
    FUNCTION(disambiguate_tool_name),
    FUNCTION(split_text),
    FUNCTION(is_degenerate_output),
    FUNCTION(truncate_degenerate_output),
    FUNCTION(storable_text),
    FUNCTION(trim_history),
    FUNCTION(resolve_edit_source),
    FUNCTION(cuts_snapshot),
    FUNCTION(effect_statement),
    FUNCTION(to_view),
};

enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

#endif
