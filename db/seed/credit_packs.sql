-- Credit packs. Each comes once: a pack that an operator has changed or deleted stays as it is.
insert into public.credit_packs (id, name, description, credits, price_minor, currency, sort)
select p.id, p.name, p.description, p.credits, p.price_minor, p.currency, p.sort
from (
  values
    ('small', '50 credits', 'A first try, or a few more photos.', 50, 7500, 'EGP', 10),
    ('medium', '150 credits', 'For an album: 11% cheaper per credit.', 150, 20000, 'EGP', 20),
    ('large', '500 credits', 'For a long project: 20% cheaper per credit.', 500, 60000, 'EGP', 30)
) as p (id, name, description, credits, price_minor, currency, sort)
where app.claim_seed('public.credit_packs', p.id)
on conflict on constraint credit_packs_pkey do nothing;
