-- app.fail_steps has a parameter more, for the saved states of failed steps.
set local lock_timeout = '5s';

drop function if exists app.fail_steps(bigint[], text[], text[], timestamptz[], bigint[]);
