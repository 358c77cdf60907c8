-- Plans. An operator's change stays.
insert into public.plans (id, name, description)
values
  ('free', 'Free', 'What every user starts with.'),
  ('pro', 'Pro', 'For those who make something every day.')
on conflict on constraint plans_pkey do nothing;
