// One rectangle over the whole stage; `at` goes from the top left corner, in device pixels.
attribute vec2 corner;
uniform vec2 stage;
varying vec2 at;

void main() {
    at = corner * stage;
    gl_Position = vec4(corner.x * 2.0 - 1.0, 1.0 - corner.y * 2.0, 0.0, 1.0);
}
