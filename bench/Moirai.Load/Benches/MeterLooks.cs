using System.Diagnostics.Metrics;
using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>N tasks that wait: what one collection of all of Moirai's instruments costs.</summary>
internal sealed class MeterLooks() : CrowdLooks(
    "meter-look",
    "N tasks that wait, and all instruments of the meter collected",
    "the base library counts no tasks",
    [new("sleep", 1_000_000)])
{
    protected override Looker Begin(Pass pass) => new Reader();

    private sealed class Reader : Looker
    {
        private readonly MeterListener _listener;
        private long _blocked;

        internal Reader()
        {
            _listener = new MeterListener
            {
                InstrumentPublished = static (instrument, listener) =>
                {
                    if (instrument.Meter.Name == "Moirai")
                    {
                        listener.EnableMeasurementEvents(instrument);
                    }
                },
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
            {
                foreach (KeyValuePair<string, object?> tag in tags)
                {
                    _blocked = instrument.Name == "moirai.task.live" && tag.Value is "blocked" ? Math.Max(_blocked, value) : _blocked;
                }
            });
            _listener.Start();
        }

        public override void Look() => _listener.RecordObservableInstruments();

        public override void Check(Pass pass) => Pass.Check(_blocked >= pass.N, $"{_blocked} of {pass.N} waiting tasks were counted");

        public override void Dispose() => _listener.Dispose();
    }
}
