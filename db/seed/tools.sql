-- Tools of the studio. Each comes once: a tool that an operator has changed or deleted stays as
-- it is. Each {{variable}} of a prompt is a parameter with an enum or limits.
insert into public.tools (
  key, name, description, category, kind, model, cost, sort, parameters, result_schema, prompt
)
select
  t.key, t.name, t.description, t.category, t.kind, t.model, t.cost, t.sort, t.parameters,
  t.result_schema, t.prompt
from (
  values
    (
      'change_hairstyle', 'Change hairstyle',
      'See yourself with another haircut before you sit down in the chair.',
      'hair', 'image', 'gemini-2.5-flash-image', 1, 110,
      '{
        "type": "object",
        "properties": {
          "hairstyle": {
            "type": "string", "maxLength": 200,
            "description": "The prompt of a row of hairstyles, or words of your own"
          }
        },
        "required": ["hairstyle"],
        "additionalProperties": false
      }'::jsonb,
      null::jsonb,
      'Edit this photo: give the person this hairstyle: {{hairstyle}}. Keep the natural hair color '
      'unless the hairstyle names another one. Keep the person''s face, facial features, skin '
      'tone, expression, pose, clothing and the background exactly as they are. The hairline, the '
      'lighting on the hair and the shadows must match the photo, so that the result looks like an '
      'unedited photo of the same person.'
    ),
    (
      'change_hair_color', 'Change hair color', 'Try a new hair color, from natural to bold.',
      'hair', 'image', 'gemini-2.5-flash-image', 1, 120,
      '{
        "type": "object",
        "properties": {
          "color": {
            "type": "string", "maxLength": 200,
            "description": "The prompt of a row of colors, or words of your own"
          },
          "technique": {
            "type": "string",
            "enum": ["all over", "highlights", "balayage", "ombre", "money piece"],
            "default": "all over"
          }
        },
        "required": ["color"],
        "additionalProperties": false
      }',
      null,
      'Edit this photo: change the hair color of the person to {{color}}. Apply the color with '
      'this technique: {{technique}}. Keep the haircut, the length and the texture of the hair. '
      'Keep the person''s face, eyebrows, skin tone, expression, pose, clothing and the background '
      'exactly as they are. Keep natural shine, depth and slightly darker roots, so that the color '
      'looks professionally dyed and not painted on.'
    ),
    (
      'add_bangs', 'Try bangs', 'Find out whether bangs suit you.',
      'hair', 'image', 'gemini-2.5-flash-image', 1, 130,
      '{
        "type": "object",
        "properties": {
          "bangs": {
            "type": "string",
            "enum": [
              "curtain bangs", "blunt straight bangs", "wispy bangs", "side-swept bangs",
              "baby bangs", "curly bangs"
            ]
          }
        },
        "required": ["bangs"],
        "additionalProperties": false
      }',
      null,
      'Edit this photo: add {{bangs}} to the person''s hair. Keep the color, the length and the '
      'texture of the rest of the hair. Keep the person''s face, skin tone, expression, pose, '
      'clothing and the background exactly as they are. The bangs must grow naturally from the '
      'hairline and cast a soft, realistic shadow on the forehead.'
    ),
    (
      'change_beard', 'Change beard', 'Grow, shape or shave a beard in seconds.',
      'hair', 'image', 'gemini-2.5-flash-image', 1, 140,
      '{
        "type": "object",
        "properties": {
          "beard": {
            "type": "string",
            "enum": [
              "clean-shaven", "light stubble", "heavy stubble", "short boxed beard", "full beard",
              "long full beard", "goatee", "mustache", "circle beard"
            ]
          }
        },
        "required": ["beard"],
        "additionalProperties": false
      }',
      null,
      'Edit this photo: change the facial hair of the person to: {{beard}}. Match the color and '
      'the texture of the person''s own hair. Keep the face shape, facial features, skin tone, '
      'expression, hairstyle, pose, clothing and the background exactly as they are. The result '
      'must look like an unedited photo of the same person.'
    ),
    (
      'retouch_portrait', 'Retouch portrait',
      'Even skin and bright eyes that still look like you.',
      'beauty', 'image', 'gemini-2.5-flash-image', 1, 210,
      '{
        "type": "object",
        "properties": {
          "strength": {
            "type": "string", "enum": ["subtle", "natural", "polished"], "default": "natural"
          }
        },
        "additionalProperties": false
      }',
      null,
      'Retouch this portrait with {{strength}} strength. Remove temporary blemishes, redness and '
      'dark circles, even out the skin tone, and brighten the eyes slightly. Keep freckles, moles, '
      'scars, wrinkles, pores and the natural texture of the skin. Do not change the shape of the '
      'face, the nose, the lips, the eyes or the body, and do not add make-up. Keep the '
      'expression, hair, pose, clothing and the background exactly as they are.'
    ),
    (
      'apply_makeup', 'Apply make-up', 'Try a make-up look, from barely there to evening.',
      'beauty', 'image', 'gemini-2.5-flash-image', 1, 220,
      '{
        "type": "object",
        "properties": {
          "look": {
            "type": "string",
            "enum": [
              "natural no-make-up look", "fresh daytime look", "classic red lips",
              "soft glam evening look", "smoky eyes", "bridal look", "graphic eyeliner"
            ]
          }
        },
        "required": ["look"],
        "additionalProperties": false
      }',
      null,
      'Edit this photo: apply make-up to the person: {{look}}. Choose shades that suit the '
      'person''s skin tone and the light of the photo. Keep the shape of the face and of all '
      'facial features, the texture of the skin, the expression, hair, pose, clothing and the '
      'background exactly as they are. The make-up must follow the face and look professionally '
      'applied.'
    ),
    (
      'whiten_teeth', 'Whiten teeth', 'A brighter smile that stays believable.',
      'beauty', 'image', 'gemini-2.5-flash-image', 1, 230,
      '{
        "type": "object",
        "properties": {
          "shades": {
            "type": "integer", "minimum": 1, "maximum": 4, "default": 2,
            "description": "How many shades brighter"
          }
        },
        "additionalProperties": false
      }',
      null,
      'Edit this photo: whiten the visible teeth of the person by {{shades}} shades. Keep the '
      'shape and the position of the teeth, the gums, the lips, natural shadows and the slight '
      'differences between teeth. Change nothing else in the photo. If no teeth are visible, '
      'return the photo unchanged.'
    ),
    (
      'change_eye_color', 'Change eye color', 'See yourself with another eye color.',
      'beauty', 'image', 'gemini-2.5-flash-image', 1, 240,
      '{
        "type": "object",
        "properties": {
          "color": {
            "type": "string",
            "enum": [
              "light blue", "deep blue", "green", "hazel", "amber", "light brown", "dark brown",
              "gray"
            ]
          }
        },
        "required": ["color"],
        "additionalProperties": false
      }',
      null,
      'Edit this photo: change the color of the irises of the person to a natural {{color}}. Keep '
      'the pattern of the irises, the pupils, reflections, eyelids, lashes and the direction of '
      'the gaze. Change nothing else in the photo.'
    ),
    (
      'replace_background', 'Replace background', 'Put yourself anywhere in the world.',
      'background', 'image', 'gemini-2.5-flash-image', 1, 310,
      '{
        "type": "object",
        "properties": {
          "background": {
            "type": "string", "maxLength": 200,
            "description": "The new background in a few words: a quiet beach at sunset"
          }
        },
        "required": ["background"],
        "additionalProperties": false
      }',
      null,
      'Edit this photo: replace the background with {{background}}. Keep the person''s face, hair, '
      'expression, body, pose and clothing exactly as they are. Cut out fine hair cleanly. Match '
      'the perspective, the depth of field, the grain and the color of the light to the person, so '
      'that the photo looks as if it was taken there.'
    ),
    (
      'plain_background', 'Plain background',
      'A clean background for shops, profiles and documents.',
      'background', 'image', 'gemini-2.5-flash-image', 1, 320,
      '{
        "type": "object",
        "properties": {
          "color": {
            "type": "string",
            "enum": [
              "pure white", "light gray", "dark gray", "black", "soft beige", "light blue",
              "pastel pink"
            ],
            "default": "pure white"
          }
        },
        "additionalProperties": false
      }',
      null,
      'Edit this photo: replace the background with a perfectly even, {{color}} backdrop without '
      'texture, gradient or shadow. Keep the subject exactly as it is, with clean edges, and keep '
      'fine hair. Do not crop, move or resize the subject.'
    ),
    (
      'blur_background', 'Blur background', 'The look of a portrait lens.',
      'background', 'image', 'gemini-2.5-flash-image', 1, 330,
      '{
        "type": "object",
        "properties": {
          "strength": {
            "type": "string", "enum": ["slight", "medium", "strong"], "default": "medium"
          }
        },
        "additionalProperties": false
      }',
      null,
      'Edit this photo: blur the background with a {{strength}} blur, like a portrait lens at a '
      'wide aperture. Keep the person and everything at the same distance perfectly sharp, and '
      'keep the edges of the hair natural. Lights in the background become soft, round highlights. '
      'Change nothing else in the photo.'
    ),
    (
      'relight_photo', 'Relight', 'Better light, after the photo was taken.',
      'photo', 'image', 'gemini-2.5-flash-image', 1, 410,
      '{
        "type": "object",
        "properties": {
          "light": {
            "type": "string",
            "enum": [
              "soft window light", "golden hour sunlight", "bright studio light",
              "dramatic side light", "warm candlelight", "cool overcast daylight"
            ]
          }
        },
        "required": ["light"],
        "additionalProperties": false
      }',
      null,
      'Edit this photo: light the scene with {{light}}. Shadows and highlights on the person and '
      'on the background must come from the same direction. Keep the person''s face, skin texture, '
      'expression, hair, pose, clothing and everything in the background exactly as they are.'
    ),
    (
      'enhance_photo', 'Enhance photo', 'Sharper, cleaner, with better colors.',
      'photo', 'image', 'gemini-2.5-flash-image', 1, 420,
      '{"type": "object", "additionalProperties": false}',
      null,
      'Enhance this photo: sharpen what is slightly out of focus, remove noise and compression '
      'artifacts, correct white balance, exposure and contrast, and recover details in shadows and '
      'highlights. Keep the person''s face and identity, the composition and the mood exactly as '
      'they are. Do not smooth the skin, and do not add anything that is not in the photo.'
    ),
    (
      'restore_photo', 'Restore old photo', 'Bring a scratched family photo back to life.',
      'photo', 'image', 'gemini-3-pro-image-preview', 3, 430,
      '{
        "type": "object",
        "properties": {
          "colors": {
            "type": "string",
            "enum": [
              "keep the original colors", "colorize with natural, historically plausible colors"
            ],
            "default": "keep the original colors"
          }
        },
        "additionalProperties": false
      }',
      null,
      'Restore this old photo: remove scratches, dust, stains, creases and fading, and repair torn '
      'or missing parts from what surrounds them. Colors: {{colors}}. Keep every face, expression, '
      'pose and piece of clothing true to the original; reconstruct a face only as far as the '
      'photo shows it. Keep the composition, the frame and a natural film grain.'
    ),
    (
      'professional_headshot', 'Professional headshot',
      'A studio portrait for your résumé and your profiles.',
      'portrait', 'image', 'gemini-3-pro-image-preview', 3, 510,
      '{
        "type": "object",
        "properties": {
          "outfit": {
            "type": "string",
            "enum": [
              "a dark business suit", "a light blue shirt without a tie", "a smart casual blazer",
              "a plain dark turtleneck", "the same clothes as in the photo"
            ],
            "default": "a smart casual blazer"
          },
          "backdrop": {
            "type": "string",
            "enum": [
              "a light gray studio backdrop", "a dark studio backdrop", "a bright, blurred office",
              "a blurred city street"
            ],
            "default": "a light gray studio backdrop"
          }
        },
        "additionalProperties": false
      }',
      null,
      'Turn this photo into a professional headshot of the same person, from the chest up, facing '
      'the camera, with a friendly and confident expression. The person wears {{outfit}}, in front '
      'of {{backdrop}}. Soft studio light, an 85 mm lens, sharp eyes. Keep the person''s face, '
      'facial features, age, skin tone and texture, glasses, hair color and hairstyle, so that '
      'colleagues recognize the person at once. Do not slim or beautify the face.'
    ),
    (
      'try_outfit', 'Try an outfit', 'A fitting room without the queue.',
      'portrait', 'image', 'gemini-3-pro-image-preview', 3, 520,
      '{
        "type": "object",
        "properties": {
          "outfit": {
            "type": "string", "maxLength": 200,
            "description": "The clothes in a few words: a long green linen dress"
          }
        },
        "required": ["outfit"],
        "additionalProperties": false
      }',
      null,
      'Edit this photo: dress the person in {{outfit}}. The clothes are decent, fit the person''s '
      'body and pose, and have realistic fabric, folds and shadows. Keep the person''s face, hair, '
      'skin tone, body shape, pose, hands and the background exactly as they are.'
    ),
    (
      'age_portrait', 'Travel in time', 'Meet your younger or older self.',
      'fun', 'image', 'gemini-2.5-flash-image', 1, 610,
      '{
        "type": "object",
        "properties": {
          "age": {
            "type": "integer", "minimum": 5, "maximum": 95, "description": "The age in years"
          }
        },
        "required": ["age"],
        "additionalProperties": false
      }',
      null,
      'Edit this photo: show the same person at the age of {{age}} years. Change skin, hair and '
      'facial proportions as they change with age, and keep what stays: eye color, skin tone, the '
      'shape of the nose, ears and mouth, moles and scars. Keep the expression, the pose, the '
      'style of the clothing and the background. The result must look like a real photo.'
    ),
    (
      'stylize_portrait', 'Stylize portrait', 'Your portrait as a work of art.',
      'fun', 'image', 'gemini-2.5-flash-image', 1, 620,
      '{
        "type": "object",
        "properties": {
          "style": {
            "type": "string",
            "enum": [
              "3D animated movie character", "hand-drawn anime", "watercolor painting",
              "oil painting", "pencil sketch", "comic book", "pop art", "pixel art", "clay figure"
            ]
          }
        },
        "required": ["style"],
        "additionalProperties": false
      }',
      null,
      'Redraw this photo in this style: {{style}}. Keep the composition, the pose, the expression, '
      'the hairstyle, the clothing and the distinctive facial features, so that friends recognize '
      'the person at once. Apply the style to the whole image, the background included.'
    ),
    (
      'analyze_face_shape', 'Face shape', 'Your face shape, and what suits it.',
      'analysis', 'analysis', 'gemini-2.5-flash', 1, 710,
      '{"type": "object", "additionalProperties": false}',
      '{
        "type": "object",
        "properties": {
          "face_shape": {
            "type": "string",
            "enum": ["oval", "round", "square", "heart", "diamond", "oblong", "triangle"]
          },
          "confidence": { "type": "number", "minimum": 0, "maximum": 1 },
          "explanation": { "type": "string" },
          "hairstyles": { "type": "array", "items": { "type": "string" }, "maxItems": 5 },
          "glasses": { "type": "array", "items": { "type": "string" }, "maxItems": 5 }
        },
        "required": ["face_shape", "confidence", "explanation", "hairstyles", "glasses"]
      }',
      'Determine the face shape of the person in this photo from the proportions of forehead, '
      'cheekbones, jaw and length. Explain the result in two friendly sentences, addressed to the '
      'person as "you". Suggest up to five hairstyles and up to five shapes of glasses that suit '
      'this face shape. Do not rate attractiveness, and do not guess identity, origin, age or '
      'health. If no face is clearly visible, choose the likeliest shape with a confidence of 0 '
      'and say so in the explanation.'
    ),
    (
      'analyze_colors', 'Your colors', 'The season and the colors that make you shine.',
      'analysis', 'analysis', 'gemini-2.5-flash', 1, 720,
      '{"type": "object", "additionalProperties": false}',
      '{
        "type": "object",
        "properties": {
          "season": { "type": "string", "enum": ["spring", "summer", "autumn", "winter"] },
          "undertone": { "type": "string", "enum": ["warm", "cool", "neutral"] },
          "explanation": { "type": "string" },
          "best_colors": {
            "type": "array", "maxItems": 8,
            "items": {
              "type": "object",
              "properties": { "name": { "type": "string" }, "hex": { "type": "string" } },
              "required": ["name", "hex"]
            }
          },
          "avoid": { "type": "array", "items": { "type": "string" }, "maxItems": 5 }
        },
        "required": ["season", "undertone", "explanation", "best_colors", "avoid"]
      }',
      'Make a personal color analysis of the person in this photo. Judge the undertone of the '
      'skin, the color of the eyes and the natural color of the hair, and correct for the white '
      'balance of the photo. Name the season, six to eight colors of clothing that suit the '
      'person, each with a hex code such as #1f6f78, and up to five colors to avoid. Explain the '
      'result in two friendly sentences, addressed to the person as "you". Do not rate '
      'attractiveness, and do not guess identity, origin, age or health.'
    ),
    (
      'suggest_hairstyles', 'Hairstyle advice', 'Five haircuts for your face, hair and daily life.',
      'analysis', 'analysis', 'gemini-2.5-flash', 1, 730,
      '{
        "type": "object",
        "properties": {
          "length": {
            "type": "string", "enum": ["short", "medium", "long", "any length"],
            "default": "any length"
          },
          "minutes": {
            "type": "integer", "minimum": 2, "maximum": 60, "default": 10,
            "description": "How many minutes of styling a day are fine"
          }
        },
        "additionalProperties": false
      }',
      '{
        "type": "object",
        "properties": {
          "hair_type": { "type": "string", "enum": ["straight", "wavy", "curly", "coily"] },
          "suggestions": {
            "type": "array", "minItems": 1, "maxItems": 5,
            "items": {
              "type": "object",
              "properties": {
                "name": { "type": "string" },
                "reason": { "type": "string" },
                "prompt": { "type": "string" }
              },
              "required": ["name", "reason", "prompt"]
            }
          }
        },
        "required": ["hair_type", "suggestions"]
      }',
      'You are an experienced hairdresser. Look at the face shape, the hairline and the type of '
      'hair of the person in this photo, and suggest up to five haircuts. Wanted length: '
      '{{length}}. The person has {{minutes}} minutes a day for styling. For each haircut give a '
      'name, one friendly sentence that says why it suits the person, and a description of at most '
      '200 characters that an image model can draw. Do not rate attractiveness, and do not guess '
      'identity, origin, age or health.'
    ),
    (
      'review_photo', 'Photo check', 'Honest advice before you publish your photo.',
      'analysis', 'analysis', 'gemini-2.5-flash', 1, 740,
      '{
        "type": "object",
        "properties": {
          "purpose": {
            "type": "string",
            "enum": [
              "a job application", "a dating profile", "a social network", "an identity document"
            ]
          }
        },
        "required": ["purpose"],
        "additionalProperties": false
      }',
      '{
        "type": "object",
        "properties": {
          "score": { "type": "integer", "minimum": 1, "maximum": 10 },
          "strengths": { "type": "array", "items": { "type": "string" }, "maxItems": 4 },
          "improvements": { "type": "array", "items": { "type": "string" }, "maxItems": 4 },
          "summary": { "type": "string" }
        },
        "required": ["score", "strengths", "improvements", "summary"]
      }',
      'Review this photo as a photographer. It is meant for {{purpose}}. Judge light, sharpness, '
      'framing, background, expression and clothing, and never the person''s looks. Give a score '
      'from 1 to 10 for the photo, up to four strengths, up to four improvements that the person '
      'can make with a phone, and a friendly summary in two sentences, addressed to the person as '
      '"you".'
    )
) as t (
  key, name, description, category, kind, model, cost, sort, parameters, result_schema, prompt
)
where app.claim_seed('public.tools', t.key)
on conflict on constraint tools_key_is_unique do nothing;
