-- app.refuse_flow
--
-- Errors      PT422 flow_invalid, always
create or replace function app.refuse_flow(flow json, reason text)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_fault record;
begin
  select f.path, f.expected into v_fault
  from app.find_flow_fault(refuse_flow.flow) as f;

  perform app.fail(
    422,
    'flow_invalid',
    case
      when v_fault.path is null
        then format('The flow has a value that cannot be stored: %s.', refuse_flow.reason)
      else format('%s must be %s.', v_fault.path, v_fault.expected)
    end,
    'Send { name, description, nodes, edges, responseTemplate, agents, dataStoreNodes, ifNodes }: '
      'nodes and edges are lists; agents, dataStoreNodes and ifNodes are objects by id.'
  );
end
$$;

comment on function app.refuse_flow(json, text) is
$$Refuses a flow with 422 flow_invalid.

The message names the wrong place, or the reason if no place is found.$$;
