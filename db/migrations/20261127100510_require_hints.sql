-- Every error says what to do next: a parameter keeps its default until its function is dropped.
set local lock_timeout = '5s';

drop function if exists app.fail(integer, text, text, text, jsonb);
