/** The image half of CRI. A pull has no time limit: the caller's signal ends one that takes too long. */
import type { ImageService } from '../runtime.ts';
import type { Connection } from './connection.ts';
import { decodeFilesystem, decodeImage } from './decode.ts';
import { encodeAuth, encodeImage, encodeSandboxConfig } from './encode.ts';
import { hasCode } from './errors.ts';
import * as methods from './methods.ts';

export function criImages(connection: Connection, requestTimeoutMs: number): ImageService {
  const limit = (signal: AbortSignal | undefined) => ({ timeoutMs: requestTimeoutMs, signal });
  return {
    async listImages(signal) {
      const { images } = await connection.call(methods.listImages, {}, limit(signal));
      return images.map(decodeImage);
    },

    async imageStatus(image, signal) {
      const request = { image: encodeImage(image), verbose: false };
      try {
        const response = await connection.call(methods.imageStatus, request, limit(signal));
        return response.image && decodeImage(response.image);
      } catch (error) {
        if (hasCode(error, 'NotFound')) return undefined;
        throw error;
      }
    },

    async pullImage(image, auth, sandboxConfig, signal) {
      const { imageRef } = await connection.call(
        methods.pullImage,
        {
          image: encodeImage(image, image),
          auth: auth && encodeAuth(auth),
          sandboxConfig: sandboxConfig && encodeSandboxConfig(sandboxConfig),
        },
        { timeoutMs: undefined, signal },
      );
      return imageRef;
    },

    async removeImage(image, signal) {
      try {
        await connection.call(methods.removeImage, { image: encodeImage(image) }, limit(signal));
      } catch (error) {
        if (!hasCode(error, 'NotFound')) throw error;
      }
    },

    async imageFsInfo(signal) {
      const { imageFilesystems } = await connection.call(methods.imageFsInfo, {}, limit(signal));
      return imageFilesystems.map(decodeFilesystem);
    },
  };
}
