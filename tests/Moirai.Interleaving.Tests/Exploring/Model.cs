namespace Moirai.Interleaving.Exploring;

/// <summary>Two or three threads and the objects they meet at. Made anew for each interleaving: the constructor sets the scene.</summary>
/// <remarks>A thread says that the model does not hold by throwing, anywhere. Bodies are deterministic: they take no clock, no chance, and wait only through the seam or
/// <see cref="Run.WaitUntil"/>.</remarks>
internal abstract class Model
{
    private readonly List<(string Name, Action Body)> _threads = [];

    public IReadOnlyList<(string Name, Action Body)> Threads => _threads;

    /// <summary>Whether what follows a use of the seam is a step of its own. For models of what locks protect: between two uses of the seam lie plain fields there.</summary>
    public virtual bool HasFineSteps => false;

    /// <summary>What must hold when all threads have ended. Runs alone.</summary>
    public virtual void Check()
    {
    }

    protected void Thread(string name, Action body) => _threads.Add((name, body));
}
