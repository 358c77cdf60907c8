-- app.get_field_names
--
-- Why         the planner replaces a call with its result, as with app.get_share_limit
create or replace function app.get_field_names(part text)
  returns text[]
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  case get_field_names.part
    when 'flow' then return array[
      'name', 'description', 'nodes', 'edges', 'responseTemplate', 'agents', 'dataStoreNodes',
      'ifNodes'
    ];
    when 'agents' then return array[
      'name', 'promptMessages', 'modelTier', 'temperature', 'maxTokens', 'topP',
      'frequencyPenalty', 'presencePenalty', 'responseFormat'
    ];
    when 'dataStoreNodes' then return array['name', 'color', 'dataStoreFields'];
    when 'ifNodes' then return array['name', 'conditions'];
    when 'session' then return array[
      'title', 'all_cards', 'user_character_card_id', 'turn_ids', 'background_id', 'cover_id',
      'translation', 'chat_styles', 'flow_id'
    ];
  end case;
end
$$;

comment on function app.get_field_names(text) is
$$Returns the names of the fields that Plinth reads.

part: flow, session, or a map of nodes in a flow: agents, dataStoreNodes, ifNodes.$$;
