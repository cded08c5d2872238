/** Pictures of the webcam: squares, as most networks are shown. */

/** Side in pixels of a picture. */
const SIDE = 480;
const QUALITY = 0.92;

const REASONS = {
  NotAllowedError: "The browser does not give this page the camera: allow it beside the address, then try again.",
  NotFoundError: "There is no camera.",
  NotReadableError: "The camera cannot be opened. Does another program use it?",
};

/**
 * Show the camera in a video element until `signal` closes it, also while it is being opened. Returns {take()}, which gives
 * a picture as a File. Throws a RangeError that says why there is no picture, or `signal`'s reason.
 */
export async function openCamera(video, signal) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new RangeError("Browsers give pages the camera over https, or on the machine of the service, alone.");
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, height: { ideal: 960 } }, audio: false });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof DOMException)) throw error;
    throw new RangeError(REASONS[error.name] ?? `The camera cannot be opened: ${error.message}`);
  }
  function stop() {
    for (const track of stream.getTracks()) track.stop();
    if (video.srcObject === stream) video.srcObject = null;
  }
  if (signal.aborted) stop();
  signal.throwIfAborted();
  signal.addEventListener("abort", stop, { once: true });
  video.srcObject = stream;
  try {
    await video.play();
  } catch (error) {
    stop();
    signal.throwIfAborted();
    if (!(error instanceof DOMException)) throw error;
    throw new RangeError("The camera shows no picture.");
  }
  signal.throwIfAborted();
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d");
  let count = 0;

  async function take() {
    const { videoWidth: width, videoHeight: height } = video;
    const side = Math.min(width, height);
    context.drawImage(video, (width - side) / 2, (height - side) / 2, side, side, 0, 0, SIDE, SIDE);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
    count += 1;
    return new File([blob], `camera-${String(count).padStart(4, "0")}.jpg`, { type: "image/jpeg" });
  }

  return { take };
}
