-- app.take_request_slot
--
-- Errors      PT429 too_many_at_once with Retry-After
-- Locks       one of the advisory locks of the key until the request ends; of an anonymous IPv6
--             caller, also one of the caller's network
-- Why         Slow requests of one caller would hold every connection of PostgREST's pool. A
--             request that waited for a slot would hold a connection, too, so it is refused at
--             once.
create or replace function app.take_request_slot(key text, slots integer)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if take_request_slot.slots = 0 then
    return;
  end if;

  for v_slot in 1 .. take_request_slot.slots loop
    if app.try_request_slot(take_request_slot.key, v_slot) then
      if take_request_slot.key like 'address %/64' then
        perform app.take_request_slot(
          app.network_of(take_request_slot.key), take_request_slot.slots * 4
        );
      end if;
      return;
    end if;
  end loop;

  perform app.fail(
    429,
    'too_many_at_once',
    format('%s requests of this caller are running already.', take_request_slot.slots),
    'Wait for the answer to one of them, or try again in 1 s.',
    '{"Retry-After": "1"}'
  );
end
$$;

comment on function app.take_request_slot(text, integer) is
  'Lets at most this many requests of the key run at the same time, and four times as many of an '
  'IPv6 /48 network; 429 too_many_at_once beyond. slots 0: any number.';
