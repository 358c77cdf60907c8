import analyzeFace from './analyze_face.ts'
import processImage from './process_image.ts'

/** The handlers of the studio, by job type. */
export const studioHandlers = {
  process_image: processImage,
  analyze_face: analyzeFace,
}
