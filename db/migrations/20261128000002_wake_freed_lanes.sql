-- app.wake_lanes has a parameter more, for lanes in which an open step ended.
set local lock_timeout = '5s';

drop function if exists app.wake_lanes(bigint[], bigint[], timestamptz[], text[], text[]);
drop function if exists app.find_open_wake(bigint, timestamptz, integer);
