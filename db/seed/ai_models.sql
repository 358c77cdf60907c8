-- AI models that can be asked for. An operator's change stays.
insert into public.ai_models (name, kind, description, is_default)
values
  ('gemini-3-pro-preview', 'text', 'Gemini 3 Pro', true),
  ('gemini-2.5-flash', 'text', 'Gemini 2.5 Flash: faster, and less costly', false),
  ('gemini-3-pro-image-preview', 'image', 'Gemini 3 Pro Image', true),
  ('gemini-2.5-flash-image', 'image', 'Gemini 2.5 Flash Image: faster, and less costly', false),
  ('veo-3.1-generate-preview', 'video', 'Veo 3.1', true),
  ('veo-3.1-fast-generate-preview', 'video', 'Veo 3.1 Fast: faster, and less costly', false)
-- An operator who named another default keeps it.
on conflict do nothing;
