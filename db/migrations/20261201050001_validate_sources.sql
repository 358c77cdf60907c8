-- Validates the check of sources, while others read and write.
set local lock_timeout = '5s';

alter table public.payments validate constraint payments_source_is_known;
