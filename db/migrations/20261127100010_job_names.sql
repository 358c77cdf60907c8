-- Functions of the job engine have names that say what they do; the functions under the old names go.
set local lock_timeout = '5s';

-- Until the modules of the same release are applied, workers cannot hand in results, and keep them.
drop function if exists app.find_lanes(uuid, text[]);
drop function if exists app.add_lanes(jsonb);
drop function if exists app.read_steps(bigint, bigint, jsonb, boolean, integer, integer);
drop function if exists app.read_edges(bigint[], bigint[], text[], jsonb[]);
drop function if exists app.read_bigint(jsonb);
drop function if exists app.refuse_step_fault(text);
drop function if exists app.find_wake(text[]);
drop function if exists app.queue_again(
  bigint[], integer[], integer[], timestamptz[], real[], jsonb[], text[], text[]
);
drop function if exists app.rest_lanes(bigint[]);
drop function if exists app.complete_groups(bigint[]);
drop function if exists app.apply_results_apart(jsonb);
