-- Plans. A plan that an operator has changed stays as it is.
insert into public.plans (
  id, name, description, images_per_day, videos_per_day, bytes_stored, tasks_running, tasks_open,
  tasks_per_day
)
values
  ('free', 'Free', 'The plan of every new user.', 200, 20, 1073741824, 2, 10, 50),
  (
    'pro', 'Pro', 'For users who create something every day.',
    2000, 200, 21474836480, 10, 200, 1000
  )
on conflict on constraint plans_pkey do nothing;
