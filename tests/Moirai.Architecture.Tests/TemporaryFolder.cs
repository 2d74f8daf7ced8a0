namespace Moirai.Architecture.Tests;

internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("moirai-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
