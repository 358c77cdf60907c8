-- Hairstyles. Each comes once: a hairstyle that an operator has changed or deleted stays as it is.
-- A prompt completes the sentence "Give the person this hairstyle: …".
insert into public.hairstyles (key, name, category, prompt, sort)
select h.key, h.name, h.category, h.prompt, h.sort
from (
  values
    (
      'pixie_cut', 'Pixie cut', 'short',
      'a soft pixie cut, short at the sides and back, with longer, textured hair on top', 110
    ),
    (
      'french_bob', 'French bob', 'short',
      'a chin-length French bob with slightly wavy ends and light bangs above the eyebrows', 120
    ),
    (
      'blunt_bob', 'Blunt bob', 'short',
      'a sleek, straight blunt bob that ends sharply at the jaw, parted in the middle', 130
    ),
    (
      'layered_bob', 'Layered bob', 'short',
      'a layered bob with volume at the crown and soft, feathered ends', 140
    ),
    (
      'buzz_cut', 'Buzz cut', 'short',
      'an even buzz cut of about six millimetres with a clean hairline', 150
    ),
    (
      'crew_cut', 'Crew cut', 'short',
      'a classic crew cut, tapered at the sides, slightly longer and brushed up at the front', 160
    ),
    (
      'textured_crop', 'Textured crop', 'short',
      'a textured crop with a short, choppy fringe and a mid fade at the sides', 170
    ),
    (
      'side_part', 'Classic side part', 'short',
      'a neat side part with short, combed hair and softly tapered sides', 180
    ),
    (
      'quiff', 'Quiff', 'short',
      'a voluminous quiff swept up and back from the forehead, with short, faded sides', 190
    ),
    (
      'slick_back', 'Slicked back', 'short',
      'medium-short hair slicked back from the forehead with a soft shine', 200
    ),
    (
      'lob', 'Long bob', 'medium',
      'a long bob that ends at the collarbone, smooth, with a slight inward bend at the ends', 310
    ),
    (
      'shag', 'Shag', 'medium',
      'a medium-length shag with many choppy layers, wispy ends and a curtain fringe', 320
    ),
    (
      'wolf_cut', 'Wolf cut', 'medium',
      'a wolf cut: short, voluminous layers on top, long and thin layers at the neck', 330
    ),
    (
      'curtain_bangs', 'Curtain bangs', 'medium',
      'shoulder-length hair with curtain bangs parted in the middle that frame the face', 340
    ),
    (
      'curly_shoulder', 'Shoulder-length curls', 'medium',
      'bouncy, well-defined curls that end at the shoulders, with natural volume', 350
    ),
    (
      'afro', 'Afro', 'medium',
      'a rounded, full natural afro with soft, even texture', 360
    ),
    (
      'mid_fade_curls', 'Curls with a fade', 'medium',
      'defined curls on top that fall over the forehead, with a clean mid fade at the sides', 370
    ),
    (
      'long_straight', 'Long and straight', 'long',
      'long, straight, glossy hair that reaches the middle of the back, parted in the middle', 510
    ),
    (
      'long_layers', 'Long layers', 'long',
      'long hair with soft face-framing layers and a gentle bend at the ends', 520
    ),
    (
      'beach_waves', 'Beach waves', 'long',
      'long, loose beach waves with a tousled, airy texture', 530
    ),
    (
      'hollywood_waves', 'Hollywood waves', 'long',
      'long, polished Hollywood waves swept to one side, with an even, glossy shine', 540
    ),
    (
      'long_curls', 'Long curls', 'long',
      'long, voluminous spiral curls that fall over the shoulders', 550
    ),
    (
      'man_bun', 'Man bun', 'updo',
      'long hair pulled back tightly into a bun at the back of the head', 710
    ),
    (
      'high_ponytail', 'High ponytail', 'updo',
      'a sleek, high ponytail, smooth at the crown, with straight, long lengths', 720
    ),
    (
      'low_bun', 'Low bun', 'updo',
      'an elegant low bun at the nape with a few loose strands around the face', 730
    ),
    (
      'messy_bun', 'Messy bun', 'updo',
      'a relaxed, messy bun on top of the head with loose strands around the face', 740
    ),
    (
      'half_up', 'Half up', 'updo',
      'a half-up style: the upper half tied at the back, the rest falls in loose waves', 750
    ),
    (
      'french_braid', 'French braid', 'braids',
      'a single French braid that begins at the crown and falls down the back', 910
    ),
    (
      'box_braids', 'Box braids', 'braids',
      'long, thin box braids with clean, square partings', 920
    ),
    (
      'cornrows', 'Cornrows', 'braids',
      'neat, straight cornrows braided close to the scalp, from the forehead to the nape', 930
    ),
    (
      'crown_braid', 'Crown braid', 'braids',
      'a braid wrapped around the head like a crown, with soft strands at the temples', 940
    ),
    (
      'locs', 'Locs', 'braids',
      'shoulder-length, even locs with neat roots', 950
    )
) as h (key, name, category, prompt, sort)
where app.claim_seed('public.hairstyles', h.key)
on conflict on constraint hairstyles_key_is_unique do nothing;
