"""Makes ``keras2.h5`` and ``keras2.json``: a small classifier in the HDF5 form of Keras 2, and its answers there.

Run with TensorFlow 2.15 (``pip install tensorflow-cpu==2.15.1 'numpy<2'``), which brings Keras 2.15:
``python tests/data/make_keras2.py``. The weights are drawn at random; nothing was trained.
"""

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent


def main():
    import tensorflow as tf

    keras = tf.keras
    layers = keras.layers
    keras.utils.set_random_seed(12)
    wide = keras.initializers.RandomNormal(stddev=1.5)
    page = layers.Input((32, 40, 3))
    x = layers.Conv2D(6, 3, strides=2, activation="relu")(page)
    x = layers.BatchNormalization(gamma_initializer="random_uniform", moving_mean_initializer="random_uniform")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu", depthwise_initializer=wide)(x)
    model = keras.Sequential(
        [
            layers.Rescaling(1 / 255.0, input_shape=(32, 40, 3)),
            keras.Model(page, x, name="trunk"),
            layers.MaxPooling2D(),
            layers.Permute((2, 1, 3)),
            layers.TimeDistributed(layers.Flatten()),
            layers.LSTM(8, return_sequences=True, kernel_initializer=wide),
            layers.LSTM(6, kernel_initializer=wide),
            layers.Dropout(0.5),
            layers.Dense(4, activation="softmax", kernel_initializer=wide),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.save(HERE / "keras2.h5", include_optimizer=False)
    pixels = np.random.default_rng(5).integers(0, 256, (3, 32, 40, 3))
    answers = model.predict(pixels.astype("float32"), verbose=0)
    content = {"tensorflow": tf.__version__, "seed": 5, "answers": answers.tolist()}
    (HERE / "keras2.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
