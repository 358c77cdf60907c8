-- Firing order: _100 before _200. A client's direct insert is counted last, so that the caller's row is locked for as
-- short as can be. What a function of ours inserts is sealed from the start, and that function checks and counts it:
-- current_user tells the two apart.

create or replace trigger _200_take_share_rate
  after insert on public.flows
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__take_share_rate();

create or replace trigger _100_require_open_flows
  after insert on public.agents
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__require_open_flows();

create or replace trigger _200_take_share_rate
  after insert on public.agents
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__take_share_rate();

create or replace trigger _100_require_open_flows
  after insert on public.data_store_nodes
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__require_open_flows();

create or replace trigger _200_take_share_rate
  after insert on public.data_store_nodes
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__take_share_rate();

create or replace trigger _100_require_open_flows
  after insert on public.if_nodes
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__require_open_flows();

create or replace trigger _200_take_share_rate
  after insert on public.if_nodes
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__take_share_rate();

create or replace trigger _100_require_icons
  after insert on public.characters
  referencing new table as new_rows
  for each statement
  execute function app.tg__require_icons();

create or replace trigger _200_take_share_rate
  after insert on public.characters
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__take_share_rate();

create or replace trigger _100_require_icons
  after insert on public.scenarios
  referencing new table as new_rows
  for each statement
  execute function app.tg__require_icons();

create or replace trigger _200_take_share_rate
  after insert on public.scenarios
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__take_share_rate();

create or replace trigger _100_record_icons
  after insert on public.sessions
  referencing new table as new_rows
  for each statement
  execute function app.tg_sessions__record_icons();

create or replace trigger _200_take_share_rate
  after insert on public.sessions
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__take_share_rate();

create or replace trigger _100_set_expiry
  before insert on public.shared_resources
  for each row
  execute function app.tg_shared_resources__set_expiry();

create or replace trigger _100_seal
  after insert on public.shared_resources
  referencing new table as new_shares
  for each statement
  execute function app.tg_shared_resources__seal();

create or replace trigger _200_delete_resources
  after delete on public.shared_resources
  referencing old table as old_shares
  for each statement
  execute function app.tg_shared_resources__delete_resources();
