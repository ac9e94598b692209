'use strict';

(() => {
  const panel = JSON.parse(document.getElementById('panel-data').textContent);
  const sliders = [...document.querySelectorAll('#sliders input')];
  const buttons = [...document.querySelectorAll('#digits button')];
  const canvas = document.getElementById('drawing');
  const testImage = document.getElementById('test-image');
  const lengthOutput = document.getElementById('length');
  const outside = document.getElementById('outside');
  let digit = panel.digits[0];

  // Not every browser knows Float16Array: all 65,536 values, looked up by their bits.
  const valueOfHalf = Float32Array.from({ length: 65536 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
  });

  function unpack(base64) {
    const bytes = atob(base64);
    const values = new Float32Array(bytes.length / 2);
    for (let i = 0; i < values.length; i += 1) {
      values[i] = valueOfHalf[bytes.charCodeAt(2 * i) | (bytes.charCodeAt(2 * i + 1) << 8)];
    }
    return values;
  }

  const stages = panel.stages.map((stage) => ({
    weights: unpack(stage.weights),
    biases: unpack(stage.biases),
  }));

  // The first input is number `offset` of the layer's inputs; all others are zero.
  function dense(inputs, stage, offset = 0) {
    const outputs = Float32Array.from(stage.biases);
    inputs.forEach((input, i) => {
      if (input === 0) return; // half of the hidden units
      const start = (offset + i) * outputs.length;
      for (let j = 0; j < outputs.length; j += 1) outputs[j] += input * stage.weights[start + j];
    });
    return outputs;
  }

  const relu = (values) => values.map((value) => Math.max(0, value));
  const sigmoid = (values) => values.map((value) => 1 / (1 + Math.exp(-value)));

  function decode(capsule, label) {
    const hidden = relu(dense(capsule, stages[0], label * capsule.length));
    return sigmoid(dense(relu(dense(hidden, stages[1])), stages[2]));
  }

  // Pixels come channel by channel. Three channels are colours; two stand side by side.
  function draw(pixels) {
    const { height, width, depth } = panel;
    const size = height * width;
    const context = canvas.getContext('2d');
    const image = context.createImageData(canvas.width, canvas.height);
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < canvas.width; x += 1) {
        const channel = depth === 3 ? 0 : Math.floor(x / width);
        const place = channel * size + y * width + (x % width);
        for (let c = 0; c < 3; c += 1) {
          image.data[4 * (y * canvas.width + x) + c] =
            Math.round(255 * pixels[place + (depth === 3 ? c * size : 0)]);
        }
        image.data[4 * (y * canvas.width + x) + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
  }

  function show() {
    const capsule = digit.capsule.map((value, i) => value + Number(sliders[i].value));
    draw(decode(capsule, digit.label));
    const length = Math.hypot(...capsule);
    lengthOutput.value = length.toFixed(3);
    outside.hidden = length < 1;
    sliders.forEach((slider) => {
      const offset = Number(slider.value);
      slider.nextElementSibling.value = (offset < 0 ? '−' : '+') + Math.abs(offset).toFixed(2);
    });
  }

  function reset() {
    sliders.forEach((slider) => { slider.value = 0; });
    show();
  }

  function choose(chosen) {
    digit = panel.digits[chosen];
    testImage.src = digit.image;
    testImage.alt = `Test example ${digit.index}, class ${digit.name}`;
    buttons.forEach((button, i) => button.setAttribute('aria-pressed', String(i === chosen)));
    reset();
  }

  sliders.forEach((slider) => slider.addEventListener('input', show));
  buttons.forEach((button, i) => button.addEventListener('click', () => choose(i)));
  document.getElementById('reset').addEventListener('click', reset);
  choose(0);
})();
