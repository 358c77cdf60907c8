-- Limits of how many photos, and how many bytes of photos, a user may upload per day.
set local lock_timeout = '5s';

alter table app.settings
  add column originals_per_day integer not null default 200
    constraint settings_originals_per_day_is_positive check (originals_per_day > 0),
  add column original_bytes_per_day bigint not null default 524288000
    constraint settings_original_bytes_per_day_is_possible check (
      original_bytes_per_day between 1048576 and 1099511627776
    );
