-- Plans. A plan that an operator has changed stays as it is.
insert into public.plans (id, name, description)
values
  ('free', 'Free', 'The plan of every new user.'),
  ('pro', 'Pro', 'For users who create something every day.')
on conflict on constraint plans_pkey do nothing;
