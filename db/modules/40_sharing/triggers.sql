-- Triggers fire in the order of their names: _100 before _200. Clients' direct inserts are checked
-- before the first row, and counted last, so that the caller's row of rate_limits is locked for a
-- short time. The functions of this module insert rows that are sealed already, and check and count
-- them themselves: current_user tells the two apart. The condition of _020_name_row stores the key
-- of the row that is being inserted, for policy select_new.

create or replace trigger _010_require_room
  before insert on public.flows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__require_room();

create or replace trigger _020_name_row
  before insert on public.flows
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config('plinth.new_row', coalesce('flows ' || new.id, ''), true) = ''
  )
  execute function app.tg__require_id('an id');

create or replace trigger _030_refuse_rows
  before insert on public.flows
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config(
      'plinth.rows_left', (current_setting('plinth.rows_left')::integer - 1)::text, true
    )::integer < 0
  )
  execute function app.tg__refuse_rows();

create or replace trigger _010_require_room
  before insert on public.agents
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__require_room();

create or replace trigger _020_name_row
  before insert on public.agents
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config(
      'plinth.new_row', coalesce('agents ' || new.flow_id || ' ' || new.id, ''), true
    ) = ''
  )
  execute function app.tg__require_id('flow_id and id');

create or replace trigger _030_refuse_rows
  before insert on public.agents
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config(
      'plinth.rows_left', (current_setting('plinth.rows_left')::integer - 1)::text, true
    )::integer < 0
  )
  execute function app.tg__refuse_rows();

create or replace trigger _010_require_room
  before insert on public.data_store_nodes
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__require_room();

create or replace trigger _020_name_row
  before insert on public.data_store_nodes
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config(
      'plinth.new_row', coalesce('data_store_nodes ' || new.flow_id || ' ' || new.id, ''), true
    ) = ''
  )
  execute function app.tg__require_id('flow_id and id');

create or replace trigger _030_refuse_rows
  before insert on public.data_store_nodes
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config(
      'plinth.rows_left', (current_setting('plinth.rows_left')::integer - 1)::text, true
    )::integer < 0
  )
  execute function app.tg__refuse_rows();

create or replace trigger _010_require_room
  before insert on public.if_nodes
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__require_room();

create or replace trigger _020_name_row
  before insert on public.if_nodes
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config(
      'plinth.new_row', coalesce('if_nodes ' || new.flow_id || ' ' || new.id, ''), true
    ) = ''
  )
  execute function app.tg__require_id('flow_id and id');

create or replace trigger _030_refuse_rows
  before insert on public.if_nodes
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config(
      'plinth.rows_left', (current_setting('plinth.rows_left')::integer - 1)::text, true
    )::integer < 0
  )
  execute function app.tg__refuse_rows();

create or replace trigger _010_require_room
  before insert on public.characters
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__require_room();

create or replace trigger _020_name_row
  before insert on public.characters
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config('plinth.new_row', coalesce('characters ' || new.id, ''), true) = ''
  )
  execute function app.tg__require_id('an id');

create or replace trigger _030_refuse_rows
  before insert on public.characters
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config(
      'plinth.rows_left', (current_setting('plinth.rows_left')::integer - 1)::text, true
    )::integer < 0
  )
  execute function app.tg__refuse_rows();

create or replace trigger _010_require_room
  before insert on public.scenarios
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__require_room();

create or replace trigger _020_name_row
  before insert on public.scenarios
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config('plinth.new_row', coalesce('scenarios ' || new.id, ''), true) = ''
  )
  execute function app.tg__require_id('an id');

create or replace trigger _030_refuse_rows
  before insert on public.scenarios
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config(
      'plinth.rows_left', (current_setting('plinth.rows_left')::integer - 1)::text, true
    )::integer < 0
  )
  execute function app.tg__refuse_rows();

create or replace trigger _010_require_room
  before insert on public.sessions
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__require_room();

create or replace trigger _020_name_row
  before insert on public.sessions
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config('plinth.new_row', coalesce('sessions ' || new.id, ''), true) = ''
  )
  execute function app.tg__require_id('an id');

create or replace trigger _030_refuse_rows
  before insert on public.sessions
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config(
      'plinth.rows_left', (current_setting('plinth.rows_left')::integer - 1)::text, true
    )::integer < 0
  )
  execute function app.tg__refuse_rows();

create or replace trigger _010_require_room
  before insert on public.shared_resources
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__require_room();

create or replace trigger _020_name_row
  before insert on public.shared_resources
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config('plinth.new_row', coalesce('shared_resources ' || new.id, ''), true) = ''
  )
  execute function app.tg__require_id('an id');

create or replace trigger _030_refuse_rows
  before insert on public.shared_resources
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and set_config(
      'plinth.rows_left', (current_setting('plinth.rows_left')::integer - 1)::text, true
    )::integer < 0
  )
  execute function app.tg__refuse_rows();

create or replace trigger _040_require_known_values
  before insert on public.shared_resources
  for each row
  when (
    current_user in ('anon', 'authenticated')
    and (
      new.resource_type not in ('flow', 'card_character', 'card_scenario', 'session')
      or new.visibility not in ('unlisted', 'public')
    )
  )
  execute function app.tg_shared_resources__require_known_values();

create or replace trigger _200_count_rows
  after insert on public.flows
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__count_rows();

create or replace trigger _100_lock_open_flows
  after insert on public.agents
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__lock_open_flows();

create or replace trigger _200_count_rows
  after insert on public.agents
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__count_rows();

create or replace trigger _100_lock_open_flows
  after insert on public.data_store_nodes
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__lock_open_flows();

create or replace trigger _200_count_rows
  after insert on public.data_store_nodes
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__count_rows();

create or replace trigger _100_lock_open_flows
  after insert on public.if_nodes
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__lock_open_flows();

create or replace trigger _200_count_rows
  after insert on public.if_nodes
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__count_rows();

create or replace trigger _100_lock_icons
  after insert on public.characters
  referencing new table as new_rows
  for each statement
  execute function app.tg__lock_icons();

create or replace trigger _150_check_cards
  after insert on public.characters
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__check_cards();

create or replace trigger _200_count_rows
  after insert on public.characters
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__count_rows();

create or replace trigger _100_lock_icons
  after insert on public.scenarios
  referencing new table as new_rows
  for each statement
  execute function app.tg__lock_icons();

create or replace trigger _150_check_cards
  after insert on public.scenarios
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__check_cards();

create or replace trigger _200_count_rows
  after insert on public.scenarios
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__count_rows();

create or replace trigger _100_record_icons
  after insert on public.sessions
  referencing new table as new_rows
  for each statement
  execute function app.tg_sessions__record_icons();

create or replace trigger _200_count_rows
  after insert on public.sessions
  referencing new table as new_rows
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg__count_rows();

create or replace trigger _100_set_expiry
  before insert on public.shared_resources
  for each row
  execute function app.tg_shared_resources__set_expiry();

create or replace trigger _100_seal
  after insert on public.shared_resources
  referencing new table as new_shares
  for each statement
  execute function app.tg_shared_resources__seal();

create or replace trigger _200_count_packages
  after insert on public.shared_resources
  referencing new table as new_shares
  for each statement
  when (current_user in ('anon', 'authenticated'))
  execute function app.tg_shared_resources__count_packages();

create or replace trigger _200_delete_resources
  after delete on public.shared_resources
  referencing old table as old_shares
  for each statement
  execute function app.tg_shared_resources__delete_resources();
