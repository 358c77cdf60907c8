-- Comments on the tables, columns and types of this module.

comment on column app.settings.api_key_writes_per_minute is
  'How many requests per minute an API key that may write can make. The limits of its owner also '
  'apply. Limit per API key: 429 rate_limited.';
comment on column app.settings.exports_per_day is
  'How often a user may export their data per day. Limit per user: 429 rate_limited.';
comment on column app.settings.exports_at_once is
  'How many exports of users'' data may run at the same time, one per user. Each needs about four '
  'times its size as memory of Postgres. Limit per server: 429 exports_are_busy.';
comment on column app.settings.export_max_bytes is
  'How many bytes an export of a user''s data may have. Limit per export: 413 export_too_large.';
comment on column app.settings.notification_retention is
  'How long a notification is kept.';

comment on type app.notification is 'A notification that is sent; see app.notify.';

comment on table public.plans is
$$The plans that a user can have: prices, credits and limits.

A plan with enabled = false is not for sale; its users keep it.$$;
comment on column public.plans.price_minor is
  'The price of a period in the smallest unit of currency: 39900 is 399.00 EGP. 0: free.';
comment on column public.plans.currency is 'The currency of price_minor: three letters, ISO 4217.';
comment on column public.plans.period is
  'How long one payment, and the credits of one period, last.';
comment on column public.plans.credits_per_period is
  'How many credits a user of the plan gets for each period. They end with their period.';
comment on column public.plans.low_credits_at is
  'A user whose balance falls to this number gets a notification. Null: no notification.';
comment on column public.plans.enabled is 'Whether the plan is offered. Users of the plan keep it.';
comment on column public.plans.sort is 'Clients list plans by sort, lowest first.';
comment on column public.plans.bytes_stored is
  'How many bytes a user of the plan may store: documents of dramas, and their images and '
  'videos. Limit per user: 409 storage_used_up.';
comment on table public.users is
  'The profile of a signed-in user. Created and deleted with the auth user.';
comment on column public.users.plan_ends_at is
  'The end of the time that is paid. Null: the plan does not end.';
comment on column public.users.credits is
  'The balance. The user can spend credits - credits_held.';
comment on column public.users.credits_held is
  'The credits that work in progress reserves. The work spends or releases them at its end.';
comment on column public.users.credits_owed is
  'The debt after refunds of credits that were spent. Later credits repay the debt first.';

comment on table public.credit_packs is
$$Credits for sale. Bought credits do not expire.

A pack with enabled = false is not for sale.$$;
comment on column public.credit_packs.price_minor is
  'The price in the smallest unit of currency: 7500 is 75.00 EGP.';
comment on column public.credit_packs.currency is
  'The currency of price_minor: three letters, ISO 4217.';
comment on column public.credit_packs.enabled is 'Whether the pack is offered.';
comment on column public.credit_packs.sort is 'Clients list packs by sort, lowest first.';

comment on table public.notifications is
$$The caller's notifications, in words for people.

Subscribe with the filter user_id=eq.<id>, or read by created_at, newest first. From origin 004.$$;
comment on column public.notifications.kind is
  'The reason for the notification, for clients to switch on, for example credits_low.';
comment on column public.notifications.data is
  'Facts about the notification as an object, for example ids. Each kind has its own keys.';
comment on column public.notifications.read_at is
  'When the user read the notification. Null: unread.';

comment on table public.api_keys is
$$The caller's API keys, without their secrets.

create_api_key, rotate_api_key and revoke_api_key write this table. A client that sends a key as
x-api-key acts as the key's owner.$$;
comment on column public.api_keys.prefix is
  'The beginning of the key, to recognize the key by. Not secret.';
comment on column public.api_keys.scopes is
  '{read}, or {read,write}: a write returns rows, so write includes read.';
comment on column public.api_keys.expires_at is
  'The time from which the key is refused. Null: the key does not expire. A rotation sets an '
  'earlier time.';
comment on column public.api_keys.last_used_at is
  'The last use, to the minute and up to a minute late. Only requests that can write count: GET, '
  'HEAD and functions that only read run in read-only transactions.';
comment on column public.api_keys.revoked_at is
  'The time from which the key is refused because it was revoked.';
comment on column public.api_keys.replaced_by is
  'The key that rotate_api_key created to replace this key.';

comment on table app.api_key_secrets is
  'The hash of each API key, and its last use until app.publish_api_key_uses copies it to '
  'api_keys.last_used_at.';
comment on column app.api_key_secrets.secret_hash is
  'SHA-256 of the whole key. A key has 256 random bits, so the hash needs neither salt nor '
  'stretching.';

comment on type public.new_api_key is
  'A new API key. key is returned once and cannot be read again.';
comment on column public.new_api_key.id is 'For rotate_api_key and revoke_api_key.';
comment on column public.new_api_key.name is 'The name, for people.';
comment on column public.new_api_key.prefix is
  'The beginning of the key, by which people recognize the key.';
comment on column public.new_api_key.scopes is '{read}, or {read,write}.';
comment on column public.new_api_key.expires_at is
  'The time from which the key is refused. Null: the key does not expire.';
comment on column public.new_api_key.key is 'The secret, for the header x-api-key.';

comment on table app.seeds is
  'The rows that the seed has brought to this database. The seed brings each row once, so that a '
  'deleted row stays deleted.';
comment on column app.seeds.relation is 'The table of the row.';
comment on column app.seeds.key is 'The id or key of the row, as the seed has it.';

comment on table app.exports is
  'The parts of export_my_data. Each module registers its parts with app.register_export.';
comment on column app.exports.name is 'The key of the part in the exported document.';
comment on column app.exports.function is
  'A function of app with one uuid, the user. It returns json or setof json.';

comment on table app.missing_profiles is
  'Users whose profile could not be created when they signed up. Schedule create-missing-profiles '
  'creates the profiles.';
comment on column app.missing_profiles.failed_at is 'The last time that the profile failed.';
comment on column app.missing_profiles.error is 'The error of that time, with its SQLSTATE.';
