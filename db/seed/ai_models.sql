-- AI models that generate dramas. Each comes once: a model that an operator has changed or deleted
-- stays as it is.
insert into public.ai_models (name, kind, description, is_default)
select m.name, m.kind, m.description, m.is_default
from (
  values
    ('gemini-3-pro-preview', 'text', 'Gemini 3 Pro', true),
    ('gemini-2.5-flash', 'text', 'Gemini 2.5 Flash: faster and cheaper', false),
    ('gemini-3-pro-image-preview', 'image', 'Gemini 3 Pro Image', true),
    ('gemini-2.5-flash-image', 'image', 'Gemini 2.5 Flash Image: faster and cheaper', false),
    ('veo-3.1-generate-preview', 'video', 'Veo 3.1', true),
    ('veo-3.1-fast-generate-preview', 'video', 'Veo 3.1 Fast: faster and cheaper', false)
) as m (name, kind, description, is_default)
where app.claim_seed('public.ai_models', m.name)
-- Without a target: a second default of a kind, which an operator may have chosen, conflicts, too.
on conflict do nothing;
