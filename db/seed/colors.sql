-- Colors. Each comes once: a color that an operator has changed or deleted stays as it is. A prompt
-- completes the sentence "Change the color to …".
insert into public.colors (key, name, category, hex, prompt, sort)
select c.key, c.name, c.category, c.hex, c.prompt, c.sort
from (
  values
    ('jet_black', 'Jet black', 'natural', '#0f0d0e', 'jet black with a cool, glossy shine', 110),
    ('soft_black', 'Soft black', 'natural', '#241c1c', 'soft, natural black', 120),
    ('dark_brown', 'Dark brown', 'natural', '#3b2417', 'dark chocolate brown', 130),
    ('chestnut', 'Chestnut', 'natural', '#5a3220', 'warm chestnut brown', 140),
    ('light_brown', 'Light brown', 'natural', '#7f5536', 'light, neutral brown', 150),
    ('caramel', 'Caramel', 'natural', '#a56b3f', 'warm caramel with golden reflections', 160),
    ('auburn', 'Auburn', 'natural', '#7a2f1d', 'deep auburn with red reflections', 170),
    ('copper', 'Copper', 'natural', '#b4562a', 'bright, natural copper', 180),
    ('ginger', 'Ginger', 'natural', '#c8692f', 'light ginger red', 190),
    ('dark_blonde', 'Dark blonde', 'natural', '#9a7b50', 'dark, neutral blonde', 200),
    ('honey_blonde', 'Honey blonde', 'natural', '#c79a5b', 'warm honey blonde', 210),
    ('ash_blonde', 'Ash blonde', 'natural', '#b6a58b', 'cool ash blonde', 220),
    ('platinum', 'Platinum', 'natural', '#e9e2d0', 'very light, cool platinum blonde', 230),
    ('silver', 'Silver', 'natural', '#b9bcc0', 'shiny silver gray', 240),
    ('white', 'White', 'natural', '#f2f1ee', 'pure, soft white', 250),
    ('burgundy', 'Burgundy', 'bold', '#5c1426', 'deep burgundy red', 310),
    ('cherry_red', 'Cherry red', 'bold', '#a1142c', 'saturated cherry red', 320),
    ('rose_gold', 'Rose gold', 'pastel', '#d39a8c', 'metallic rose gold', 410),
    ('pastel_pink', 'Pastel pink', 'pastel', '#f3b8c8', 'soft pastel pink', 420),
    ('lavender', 'Lavender', 'pastel', '#b9a3d6', 'soft, cool lavender', 430),
    ('mint', 'Mint', 'pastel', '#a5dcc4', 'soft mint green', 440),
    ('violet', 'Violet', 'bold', '#5b2a86', 'deep, saturated violet', 330),
    ('royal_blue', 'Royal blue', 'bold', '#2341a3', 'saturated royal blue', 340),
    ('teal', 'Teal', 'bold', '#0f7173', 'deep teal', 350),
    ('emerald', 'Emerald', 'bold', '#0f7a4c', 'deep emerald green', 360)
) as c (key, name, category, hex, prompt, sort)
where app.claim_seed('public.colors', c.key)
on conflict on constraint colors_key_is_unique do nothing;
