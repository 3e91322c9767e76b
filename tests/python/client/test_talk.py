"""What a run is asked and what it says besides numbers: should_stop and alerts."""

import os
import unittest
from unittest import mock

import waterflow
from support import DEADLINE, ClientTest, DeliveryTest, eventually
from waterflow.stop_request import STOP_FILE, STOP_TAG, text_of

TRAINER = """
    import time
    run = waterflow.init(id="stopped")
    step = 0
    print(run.id, flush=True)
    while not run.should_stop:
        run.log({"x": step}, step=step)
        step += 1
        time.sleep(0.01)
    run.finish("KILLED", timeout=100)
    print(step)
    """


class StopTest(DeliveryTest):

    def test_all_ranks_stop_when_they_are_asked_to(self):
        ranks = [self.trainer(TRAINER, self.server.address, WATERFLOW_RANK=rank) for rank in "01"]
        (run_id,) = {process.stdout.readline().strip() for process in ranks}
        client = self.client()
        eventually(lambda: self.sender_log().count("of run") == 2, "both ranks")
        client.stop(run_id, "it diverges")
        for rank, process in enumerate(ranks):
            steps, said = process.communicate(timeout=DEADLINE)
            self.assertIn("asked to stop: it diverges", said)
            self.await_delivery()
            (series,) = client.query(run_id, "x", ranks=[rank])
            self.assertEqual(list(series.values), list(range(int(steps))))
        self.assertEqual(client.run(run_id).status, 5)  # KILLED
        # Who resumes it is not stopped by what was asked of those before.
        run = self.online(id="stopped", resume="allow")
        run.log({"x": 0}, step=0)
        eventually(lambda: STOP_TAG not in client.run(run_id).tags, "the tag's end")
        self.assertFalse(run.should_stop)


class StopFileTest(ClientTest):

    def ask(self, run, text):
        (folder,) = run._writer.folders
        with open(os.path.join(folder, STOP_FILE), "w") as file:
            file.write(text)
        run._stop_look_at = 0  # a second later
        return run.should_stop

    def test_what_was_asked_before_it_began_does_not_concern_it(self):
        before = text_of("old")
        run = self.offline()
        self.assertFalse(run.should_stop)
        self.assertFalse(self.ask(run, before))
        self.assertTrue(self.ask(run, text_of("new")))
        self.assertTrue(self.ask(run, before))  # once asked, it stays so

    def test_a_text_without_a_time_always_does(self):
        self.assertTrue(self.ask(self.offline(), "because I say so"))
        self.assertTrue(self.ask(self.offline(), ""))
        self.assertTrue(self.ask(self.offline(), "1.x"))

    def test_times_without_a_fraction_and_with_a_short_one(self):
        for asked, is_later in (("5", False), ("99999999999", True), ("99999999999.5 x", True)):
            self.assertIs(self.ask(self.offline(), asked), is_later)

    def test_it_is_cheap_and_false_where_nobody_can_ask(self):
        run = self.offline()
        self.assertFalse(run.should_stop)
        with mock.patch("builtins.open", side_effect=AssertionError):
            self.assertFalse(run.should_stop)  # no look within the second
        self.assertFalse(waterflow.init(mode="disabled").should_stop)


class AlertTest(DeliveryTest):

    def test_an_alert_is_said_and_found(self):
        run = self.online(project="p")
        waterflow.alert("loss is NaN", "at step 3", level="ERROR", wait_duration=300)
        run.alert("slow")
        run.alert("slow", "still")
        for i in range(200):
            run.alert(f"many {i}")
        run.finish(timeout=DEADLINE)
        self.await_delivery()
        tags = self.client().run(run.id).tags
        self.assertEqual((tags["alert.loss is NaN"], tags["alert.slow"]),
                         ("ERROR: at step 3", "INFO: still"))
        self.assertEqual(len([tag for tag in tags if tag.startswith("alert.")]), 100)
        self.assertIn("alert: ERROR: loss is NaN: at step 3", self.said)
        (found,) = self.client().runs("p", filter="tags.`alert.loss is NaN` LIKE 'ERROR%'")
        self.assertEqual(found.id, run.id)


if __name__ == "__main__":
    unittest.main()
