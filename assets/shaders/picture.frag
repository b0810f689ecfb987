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
uniform vec2 texels;            // of the picture; 0 where it is drawn smaller than it is
uniform float feather;          // of the picture's width; 0 where the picture fills the stage
uniform float darkest;
varying vec2 at;

// Catmull-Rom: a picture drawn larger than it is stays sharp, and one drawn in its own size stays as it is.
vec3 enlarged(sampler2D source, vec2 uv) {
    vec2 texel = uv * texels;
    vec2 middle = floor(texel - 0.5) + 0.5;
    vec2 f = texel - middle;
    vec2 w0 = f * (-0.5 + f * (1.0 - 0.5 * f));
    vec2 w1 = 1.0 + f * f * (-2.5 + 1.5 * f);
    vec2 w2 = f * (0.5 + f * (2.0 - 1.5 * f));
    vec2 w3 = f * f * (-0.5 + 0.5 * f);
    vec2 w12 = w1 + w2;
    vec2 at0 = (middle - 1.0) / texels;
    vec2 at12 = (middle + w2 / w12) / texels;
    vec2 at3 = (middle + 2.0) / texels;
    vec3 sum = texture2D(source, vec2(at12.x, at0.y)).rgb * (w12.x * w0.y);
    sum += texture2D(source, vec2(at0.x, at12.y)).rgb * (w0.x * w12.y);
    sum += texture2D(source, at12).rgb * (w12.x * w12.y);
    sum += texture2D(source, vec2(at3.x, at12.y)).rgb * (w3.x * w12.y);
    sum += texture2D(source, vec2(at12.x, at3.y)).rgb * (w12.x * w3.y);
    float whole = w12.x * w0.y + w0.x * w12.y + w12.x * w12.y + w3.x * w12.y + w12.x * w3.y;
    return clamp(sum / whole, 0.0, 1.0);
}

vec3 pixel(sampler2D source, vec2 uv) {
    return texels.x > 0.0 ? enlarged(source, uv) : texture2D(source, uv).rgb;
}

vec3 surround() {
    bool on_left = at.x < stage.x * 0.5;
    vec3 edge = on_left ? left_edge : right_edge;
    float outside = on_left ? place.x - at.x : at.x - (place.x + place.z);
    float side = max(place.x, 1.0);
    return edge * mix(1.0, darkest, pow(clamp(outside / side, 0.0, 1.0), 1.3));
}

void main() {
    vec2 uv = clamp((at - place.xy) / place.zw, 0.0, 1.0);
    vec3 shown = pixel(picture, uv);
    if (arrived < 1.0)
        shown = mix(pixel(before, uv), shown, arrived);
    if (feather > 0.0) {
        float inside = min(at.x - place.x, place.x + place.z - at.x) / place.z;
        shown = mix(surround(), shown, smoothstep(0.0, feather, inside));
    }
    gl_FragColor = vec4(shown, 1.0);
}
