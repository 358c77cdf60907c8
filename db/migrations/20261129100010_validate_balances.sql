-- Validates the checks of balances and days, while others read and write.
set local lock_timeout = '5s';

alter table public.users validate constraint users_credits_cover_holds;
alter table app.media_days validate constraint media_days_dramas_are_not_negative;
