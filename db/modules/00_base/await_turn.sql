-- app.await_turn
--
-- Called by   app.admit_caller, for an anonymous read that did not get the first turn of its caller
-- Locks       a place of the caller, which spreads the reads evenly over the turns; then a turn.
--             Both locks end with the request
-- Why         Six slow reads of one caller would take the processor from all other callers. So a
--             third of them run, and the others wait for them. A read that waits holds a
--             connection, as it would while it runs. The wait is short, because an anonymous read
--             ends after a second.
create or replace function app.await_turn(key text, slots integer)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_turns integer := greatest(await_turn.slots / 3, 1);
begin
  -- A caller has at most as many reads as slots, so one of the places is free.
  for v_place in 1 .. await_turn.slots loop
    if app.try_request_slot('place of ' || await_turn.key, v_place) then
      -- The same lock as that of app.try_request_slot, but this call waits for the lock.
      perform pg_advisory_xact_lock(
        hashtextextended('request of turn of ' || await_turn.key, v_place % v_turns + 1)
      );
      return;
    end if;
  end loop;
end
$$;

comment on function app.await_turn(text, integer) is
  'Waits until the key has a free turn for an anonymous read. A key has a third as many turns as '
  'slots, and at least one.';
