import drawEpisode from './draw_episode.ts'
import generateImage from './generate_image.ts'
import generateVideo from './generate_video.ts'
import writeCast from './write_cast.ts'
import writeOutline from './write_outline.ts'
import writeScene from './write_scene.ts'
import writeScript from './write_script.ts'

/** The handlers of dramas, by job type. */
export const dramaHandlers = {
  write_outline: writeOutline,
  write_cast: writeCast,
  write_script: writeScript,
  write_scene: writeScene,
  draw_episode: drawEpisode,
  generate_image: generateImage,
  generate_video: generateVideo,
}
