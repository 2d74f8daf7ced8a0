using System.Collections.Concurrent;
using System.Text;

namespace Moirai.Interleaving.Exploring;

/// <summary>Runs a model in every interleaving that its bounds allow, or in a given one.</summary>
internal static class Explorer
{
    // The models whose runs were broken off. Their gates and held words stay as they were left, for ever: nothing of them may become garbage, or finalizers of channels and one-shots would come by
    // there and spin. So they are kept; only twins break runs off.
    private static readonly ConcurrentBag<object> s_brokenOff = [];

    /// <summary>Explores until an interleaving breaks the model, or there is none left. Those with fewer preemptions come first.</summary>
    public static Exploration Explore(Func<Model> make, Bounds bounds, Mutant? mutant = null)
    {
        var exploration = new Exploration();
        for (int budget = 0; budget <= bounds.Budget; budget++)
        {
            exploration.Count = 0;
            using var stage = new Stage(make, bounds, mutant);
            var script = new Script(budget);
            do
            {
                Exception? broken = stage.Play(script, exploration.Sites);
                exploration.Count++;
                if (broken is not null)
                {
                    exploration.Script = script.Text;
                    exploration.Broken = broken;
                    return exploration;
                }
            }
            while (script.MoveNext());
        }

        return exploration;
    }

    /// <summary>Runs one interleaving again.</summary>
    /// <param name="make">The model.</param>
    /// <param name="script">What <see cref="Exploration.Script"/> said, or the message of a failed test.</param>
    /// <param name="bounds">As explored.</param>
    /// <param name="mutant">The fault, if one was planted.</param>
    /// <param name="trace">Where the steps go, one a line.</param>
    /// <returns>What broke; null when the model held.</returns>
    public static Exception? Replay(Func<Model> make, string script, Bounds bounds, Mutant? mutant = null, StringBuilder? trace = null)
    {
        using var stage = new Stage(make, bounds, mutant) { Trace = trace };
        return stage.Play(new Script(script), []);
    }

    /// <summary>Where runs take place, one after the other.</summary>
    private sealed class Stage(Func<Model> make, Bounds bounds, Mutant? mutant) : IDisposable
    {
        private Crew _crew = new();

        public StringBuilder? Trace { get; init; }

        public Exception? Play(Script script, HashSet<Site> sites)
        {
            while (true)
            {
                script.Rewind();
                Model model = make();
                var run = new Run(model, script, bounds, mutant, _crew, Trace is not null);
                run.Play();
                Trace?.Clear().AppendJoin(Environment.NewLine, run.Trace);
                if (run.Failure is not { } failure)
                {
                    sites.UnionWith(run.Sites);
                    return Check(model);
                }

                s_brokenOff.Add(model);

                // What the threads have left behind on the way out must not be found by the next run.
                _crew.Dispose();
                _crew = new Crew();
                if (!run.WasDisturbed)
                {
                    return failure is ExplorerException ? throw failure : failure;
                }
            }
        }

        public void Dispose() => _crew.Dispose();

        private static Exception? Check(Model model)
        {
            try
            {
                model.Check();
                return null;
            }
            catch (Exception broken)
            {
                return broken;
            }
        }
    }
}

/// <summary>What came of an exploration.</summary>
internal sealed class Exploration
{
    /// <summary>How many interleavings there are within the bounds; when one broke the model, how many were tried at the last budget.</summary>
    public int Count { get; set; }

    /// <summary>The choices of the interleaving that broke the model.</summary>
    public string? Script { get; set; }

    public Exception? Broken { get; set; }

    /// <summary>Where in the source the seam was used.</summary>
    public HashSet<Site> Sites { get; } = [];
}
