// The picture, feathered into a surround of its own edge colours that darken towards the edges of the stage.
#ifdef GL_ES
precision highp float;
#endif
uniform sampler2D picture;
uniform sampler2D before;       // the picture of the avatar that leaves
uniform float arrived;          // 0: all of `before`, 1: all of `picture`
uniform vec2 stage;             // device pixels
uniform vec4 place;             // left, top, width and height of the picture on the stage
uniform vec3 left_edge;
uniform vec3 right_edge;
uniform float feather;          // of the picture's width; 0 where the picture fills the stage
uniform float darkest;
varying vec2 at;

vec3 surround() {
    bool on_left = at.x < stage.x * 0.5;
    vec3 edge = on_left ? left_edge : right_edge;
    float outside = on_left ? place.x - at.x : at.x - (place.x + place.z);
    float side = max(place.x, 1.0);
    return edge * mix(1.0, darkest, pow(clamp(outside / side, 0.0, 1.0), 1.3));
}

void main() {
    vec2 uv = clamp((at - place.xy) / place.zw, 0.0, 1.0);
    vec3 shown = texture2D(picture, uv).rgb;
    if (arrived < 1.0)
        shown = mix(texture2D(before, uv).rgb, shown, arrived);
    if (feather > 0.0) {
        float inside = min(at.x - place.x, place.x + place.z - at.x) / place.z;
        shown = mix(surround(), shown, smoothstep(0.0, feather, inside));
    }
    gl_FragColor = vec4(shown, 1.0);
}
