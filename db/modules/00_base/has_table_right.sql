-- app.has_table_right
--
-- Why         Postgres inlines this function, because app.require_table_right calls it before each
--             DELETE.
create or replace function app.has_table_right(role text, request_table regclass, name text)
  returns boolean
  language sql
  stable
return case
  when name = 'delete' then has_table_privilege(role, request_table, name)
  else has_any_column_privilege(role, request_table, name)
end;

comment on function app.has_table_right(text, regclass, text) is
  'Whether the role has the right (select, insert, update or delete) on any column of the table; '
  'null without a table.';
