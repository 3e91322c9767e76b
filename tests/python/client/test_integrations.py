"""Each integration with the real library, on a CPU. What is not installed is skipped; one command
installs what a test wants, for example pip install scikit-learn."""

import importlib
import os
import tempfile
import unittest

# Before any of the libraries is loaded.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"

import waterflow
from support import ClientTest, header, records_of
from waterflow import spool_format, spool_reader


def needs(*modules):
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # keras without a backend raises what it likes
            return unittest.skip(f"{module} cannot be imported here: {error}")
    return lambda test: test


class IntegrationTest(ClientTest):

    def setUp(self):
        super().setUp()
        self.init = {"mode": "offline", "dir": self.root}
        self.addCleanup(waterflow.finish)
        folder = tempfile.TemporaryDirectory(prefix="waterflow-integration-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def said_of(self, kind):
        said = dict(header(self.root)[kind])
        for record in records_of(spool_format.UPDATE, self.root):
            said.update(spool_reader.json_of(record).get(kind, {}))
        return said

    def check_ended(self, status="FINISHED"):
        (end,) = records_of(spool_format.END, self.root)
        self.assertEqual(spool_reader.json_of(end)["status"], status)

    def values(self, name):
        return [row[name] for _, row in self.rows() if name in row]


class WhichRunTest(IntegrationTest):

    def test_given_then_the_one_that_is_there_then_one_of_its_own(self):
        from waterflow.integrations import RunOf
        own = RunOf(None, self.init)
        waterflow.run = None
        first = own.get()
        self.assertIs(own.get(), first)
        own.finish()
        self.assertTrue(first.is_finished)
        self.assertIsNot(own.get(), first)  # who trains a second time gets a second run
        current = self.offline()
        there = RunOf(None, {})
        self.assertIs(there.get(), current)
        there.finish()
        self.assertFalse(current.is_finished)
        self.assertIs(RunOf(first, {}).get(), first)


@needs("sklearn")
class SklearnTest(IntegrationTest):

    def data(self):
        from sklearn.datasets import make_classification
        return make_classification(300, random_state=1)

    def test_grid_search(self):
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        from waterflow.integrations.sklearn import log_search
        search = GridSearchCV(LogisticRegression(), {"C": [0.01, 0.1, 1.0]}, cv=3)
        search.fit(*self.data())
        run = log_search(search, **self.init)
        self.assertTrue(run.is_finished)
        self.assertEqual(self.values("mean_test_score"),
                         list(search.cv_results_["mean_test_score"]))
        self.assertEqual(self.values("param/C"), [0.01, 0.1, 1.0])
        self.assertEqual([step for step, _ in self.rows()], [0, 1, 2])
        self.assertEqual(run.summary["best_params"], search.best_params_)
        self.check_ended()

    def test_partial_fit(self):
        from sklearn.linear_model import SGDClassifier
        from waterflow.integrations.sklearn import partial_fit
        features, labels = self.data()
        batches = [(features[i:i + 50], labels[i:i + 50]) for i in range(0, 250, 50)]
        model = partial_fit(SGDClassifier(random_state=1), batches, (features[250:], labels[250:]),
                            classes=[0, 1], **self.init)
        self.assertEqual(self.values("samples"), [50.0] * 5)
        self.assertEqual(self.values("validation/score")[-1],
                         model.score(features[250:], labels[250:]))
        self.assertEqual(self.said_of("params")["estimator"], "SGDClassifier")


@needs("xgboost", "numpy")
class XgboostTest(IntegrationTest):

    def data(self):
        import numpy as np
        import xgboost
        rng = np.random.default_rng(1)
        features = rng.normal(size=(200, 5))
        return xgboost.DMatrix(features, features[:, 0] + rng.normal(size=200))

    def test_train(self):
        import xgboost
        from waterflow.integrations.xgboost import WaterflowCallback
        data, kept = self.data(), {}
        xgboost.train({"max_depth": 2}, data, 50, evals=[(data, "train")], evals_result=kept,
                      early_stopping_rounds=50, callbacks=[WaterflowCallback(**self.init)])
        self.assertEqual(self.values("train/rmse"), kept["train"]["rmse"])
        self.assertIn("summary.best_score", self.said_of("tags"))
        self.check_ended()

    def test_cv(self):
        import xgboost
        from waterflow.integrations.xgboost import WaterflowCallback
        run = self.offline()
        result = xgboost.cv({"max_depth": 2}, self.data(), 5, nfold=3, as_pandas=False,
                            callbacks=[WaterflowCallback(run)])
        self.assertEqual(self.values("test/rmse"), result["test-rmse-mean"])
        self.assertEqual(self.values("test/rmse/std"), result["test-rmse-std"])
        self.assertFalse(run.is_finished)


@needs("lightgbm", "numpy")
class LightgbmTest(IntegrationTest):

    def data(self):
        import lightgbm
        import numpy as np
        rng = np.random.default_rng(1)
        features = rng.normal(size=(300, 5))
        return lightgbm.Dataset(features, features[:, 0] + rng.normal(size=300))

    def test_train(self):
        import lightgbm
        from waterflow.integrations.lightgbm import log_rounds
        data, kept = self.data(), {}
        lightgbm.train({"verbose": -1}, data, 10, valid_sets=[data], valid_names=["v"],
                       callbacks=[log_rounds(**self.init), lightgbm.record_evaluation(kept)])
        self.assertEqual(self.values("v/l2"), kept["v"]["l2"])
        self.check_ended()

    def test_cv(self):
        import lightgbm
        from waterflow.integrations.lightgbm import log_rounds
        result = lightgbm.cv({"verbose": -1}, self.data(), 5, nfold=3, stratified=False,
                             callbacks=[log_rounds(**self.init)])
        self.assertEqual(self.values("valid/l2"), result["valid l2-mean"])
        self.assertEqual(self.values("valid/l2/std"), result["valid l2-stdv"])


@needs("torch")
class TorchTest(IntegrationTest):

    def test_a_loop(self):
        import torch
        run, kept = self.offline(), []
        model = torch.nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        features = torch.randn(50, 3)
        for step in range(20):
            optimizer.zero_grad()
            loss = (model(features) - features.sum(1, keepdim=True)).pow(2).mean()
            loss.backward()
            optimizer.step()
            norms = {name: p.grad.norm() for name, p in model.named_parameters()}
            run.log({"loss": loss, "grad": norms, "half": loss.half(), "one": loss.reshape(1)},
                    step=step)
            kept.append(loss.item())
        self.assertEqual(self.values("loss"), kept)
        self.assertEqual(self.values("one"), kept)
        self.assertEqual(len(self.values("grad/weight")), 20)
        self.assertLess(kept[-1], kept[0])


def tiny_torch_model():
    import torch

    class Model(torch.nn.Module):

        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(4, 1)

        def forward(self, x=None, labels=None, **_):
            out = self.linear(x)
            return {"loss": (out - labels).pow(2).mean(), "logits": out}

    class Rows(torch.utils.data.Dataset):

        def __len__(self):
            return 64

        def __getitem__(self, i):
            x = torch.full((4,), i / 64)
            return {"x": x, "labels": x[:1]}

    return Model(), Rows()


@needs("torch", "lightning")
class LightningTest(IntegrationTest):

    def test_fit(self):
        import lightning
        import torch
        from waterflow.integrations.lightning import WaterflowLogger

        class Module(lightning.LightningModule):

            def __init__(self, lr=0.1):
                super().__init__()
                self.save_hyperparameters()
                self.model, _ = tiny_torch_model()

            def training_step(self, batch, _):
                loss = self.model(**batch)["loss"]
                self.log("loss", loss, on_step=True, on_epoch=False)
                return loss

            def validation_step(self, batch, _):
                self.log("val/loss", self.model(**batch)["loss"])

            def configure_optimizers(self):
                return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)

        def loader():
            return torch.utils.data.DataLoader(tiny_torch_model()[1], batch_size=8)

        logger = WaterflowLogger(prefix="p/", **self.init)
        trainer = lightning.Trainer(
            max_epochs=2, accelerator="cpu", logger=logger, enable_progress_bar=False,
            enable_checkpointing=False, log_every_n_steps=1, default_root_dir=self.folder,
            enable_model_summary=False)
        trainer.fit(Module(), loader(), loader())
        self.assertEqual(len(self.values("p/loss")), 16)
        self.assertEqual(len(self.values("p/val/loss")), 2)
        self.assertEqual(self.said_of("params")["lr"], "0.1")
        self.assertRegex(logger.version, "^[0-9a-f]{32}$")
        self.check_ended()


@needs("torch", "accelerate", "transformers")
class HuggingfaceTest(IntegrationTest):

    def test_train(self):
        from transformers import Trainer, TrainingArguments
        from waterflow.integrations.huggingface import WaterflowCallback
        model, rows = tiny_torch_model()
        trainer = Trainer(
            model=model, train_dataset=rows, eval_dataset=rows,
            args=TrainingArguments(
                output_dir=self.folder, num_train_epochs=2, per_device_train_batch_size=8,
                logging_steps=4, eval_strategy="epoch", report_to=[], save_strategy="no",
                use_cpu=True, disable_tqdm=True),
            callbacks=[WaterflowCallback(**self.init)])
        trainer.train()
        logged = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        self.assertEqual([float(value) for value in logged], self.values("train/loss"))
        self.assertEqual(len(self.values("eval/loss")), 2)
        self.assertEqual(self.said_of("params")["num_train_epochs"], "2")
        self.check_ended()


@needs("torch", "accelerate")
class AccelerateTest(IntegrationTest):

    def test_track(self):
        from accelerate import Accelerator
        from waterflow.integrations.accelerate import WaterflowTracker
        accelerator = Accelerator(log_with=WaterflowTracker("p", **self.init), cpu=True)
        accelerator.init_trackers("p", config={"lr": 0.1})
        for step in range(5):
            accelerator.log({"loss": 1 / (1 + step)}, step=step)
        accelerator.end_training()
        self.assertEqual(self.rows(), [(i, {"loss": 1 / (1 + i)}) for i in range(5)])
        self.assertEqual((header(self.root)["project"], self.said_of("params")["lr"]),
                         ("p", "0.1"))
        self.check_ended()


@needs("keras", "numpy")
class KerasTest(IntegrationTest):

    def test_fit(self):
        import keras
        import numpy as np
        from waterflow.integrations.keras import WaterflowCallback
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.05), "mse")
        features = np.random.default_rng(1).normal(size=(64, 4))
        history = model.fit(features, features.sum(1), epochs=3, batch_size=16, verbose=0,
                            validation_split=0.25,
                            callbacks=[WaterflowCallback(log_batches=2, **self.init)])
        self.assertEqual(self.values("loss"), history.history["loss"])
        self.assertEqual(self.values("val_loss"), history.history["val_loss"])
        self.assertEqual(len(self.values("batch/loss")), 5)
        self.assertAlmostEqual(self.values("learning_rate")[0], 0.05, 6)
        self.check_ended()


@needs("jax", "flax", "optax")
class FlaxTest(IntegrationTest):

    def test_train(self):
        import jax
        import jax.numpy as jnp
        import optax
        from flax import linen
        model = linen.Dense(1)
        features = jax.random.normal(jax.random.PRNGKey(1), (32, 4))
        params = model.init(jax.random.PRNGKey(2), features)
        optimizer = optax.sgd(0.1)
        state = optimizer.init(params)

        @jax.jit
        def step_of(params, state):
            def loss_of(params):
                return jnp.mean((model.apply(params, features)[:, 0] - features.sum(1)) ** 2)
            loss, grads = jax.value_and_grad(loss_of)(params)
            updates, state = optimizer.update(grads, state)
            return optax.apply_updates(params, updates), state, loss

        run, kept = self.offline(), []
        for step in range(10):
            params, state, loss = step_of(params, state)
            run.log({"loss": loss, "half": loss.astype(jnp.bfloat16)}, step=step)
            kept.append(float(loss))
        run.finish()
        self.assertEqual(self.values("loss"), kept)
        self.assertEqual(len(self.values("half")), 10)


@needs("ray.train", "torch")
class RayTest(IntegrationTest):

    def test_train(self):
        import ray
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer

        def loop(config):
            from waterflow.integrations.ray import init
            with init(project="p", mode="offline", dir=config["dir"]) as run:
                for step in range(10):
                    run.log({"x": step + run.rank}, step=step)

        ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False,
                 configure_logging=False,
                 runtime_env={"env_vars": {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}})
        self.addCleanup(ray.shutdown)
        TorchTrainer(loop, train_loop_config={"dir": self.root},
                     scaling_config=ScalingConfig(num_workers=2),
                     run_config=RunConfig(storage_path=self.folder, name="fit")).fit()
        headers = [spool_reader.json_of(record)
                   for record in records_of(spool_format.HEADER, self.root)]
        self.assertEqual(len({said["run_id"] for said in headers}), 1)
        self.assertEqual(sorted((said["rank"], said["world_size"], said["name"])
                                for said in headers), [(0, 2, "fit"), (1, 2, "fit")])
        self.assertEqual(sorted(self.values("x")), sorted([*range(10), *range(1, 11)]))


if __name__ == "__main__":
    unittest.main()
