-- Postgres cannot replace a function that returns another type: export_my_data sends a document, and a part is json.
set local lock_timeout = '5s';

drop function if exists public.export_my_data();
drop function if exists app.export_part(text, uuid, bigint, timestamptz);
