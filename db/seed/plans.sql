-- Plans. Each comes once: a plan that an operator has changed or deleted stays as it is.
insert into public.plans (
  id, name, description, images_per_day, videos_per_day, bytes_stored, tasks_running, tasks_open,
  tasks_per_day, dramas_per_day, dramas_open, price_minor, currency, period, credits_per_period,
  low_credits_at, sort
)
select
  p.id, p.name, p.description, p.images_per_day, p.videos_per_day, p.bytes_stored, p.tasks_running,
  p.tasks_open, p.tasks_per_day, p.dramas_per_day, p.dramas_open, p.price_minor, p.currency,
  p.period, p.credits_per_period, p.low_credits_at, p.sort
from (
  values
    (
      'free', 'Free', 'The plan of every new user.',
      200, 20, 1073741824, 2, 10, 50, 20, 5, 0, 'EGP', interval '1 month', 10, 2, 10
    ),
    (
      'plus', 'Plus', 'For users who edit photos every week.',
      500, 50, 5368709120, 4, 50, 200, 35, 10, 14900, 'EGP', interval '1 month', 150, 15, 20
    ),
    (
      'pro', 'Pro', 'For users who create something every day.',
      2000, 200, 21474836480, 10, 200, 1000, 50, 20, 39900, 'EGP', interval '1 month', 500, 50, 30
    )
) as p (
  id, name, description, images_per_day, videos_per_day, bytes_stored, tasks_running, tasks_open,
  tasks_per_day, dramas_per_day, dramas_open, price_minor, currency, period, credits_per_period,
  low_credits_at, sort
)
where app.claim_seed('public.plans', p.id)
on conflict on constraint plans_pkey do nothing;
