-- A limit of unpaid orders per user, and reports about an id of Paymob that two orders got.
set local lock_timeout = '5s';

alter table app.settings
  add column orders_open_max integer not null default 20
    constraint settings_orders_open_max_is_positive check (orders_open_max > 0);

alter table public.payments drop constraint payments_source_is_known;
alter table public.payments
  add constraint payments_source_is_known check (source in ('callback', 'inquiry', 'opening'))
  not valid;
